"""Inputs for every command that it takes, and inputs that are something else."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config

from stpn_plugin.builders import build_model
from stpn_plugin.evaluation.prediction_files import write_predictions
from tests.support import tiny_models
from tests.support.faulty_sets import write_layout
from tests.support.malicious import as_pickle, as_zip, attacks
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import CLASSES, HEIGHT, WIDTH, write_tiny_vid

VAL = 'data/annotations/imagenet_vid_val.json'


def write_inputs(root: Path) -> None:
    """Write inputs to an empty folder; all paths in them are relative to it."""
    cwd = os.getcwd()
    os.chdir(root)
    try:
        _write_sound()
        _write_other_formats()
        _write_wrong()
    finally:
        os.chdir(cwd)


def _write_sound() -> None:
    write_tiny_vid(Path('data'), 1, 1, num_frames=3, num_stills=1)
    cfg = stpn_config(Path('data'))
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.dump('c.py')
    _checkpoint(cfg, 'c.pth')
    fewer = Config.fromfile('c.py')
    fewer.model.detector.roi_head.bbox_head.num_classes = 3
    fewer.dump('fewer_classes.py')
    _checkpoint(fewer, 'fewer_classes.pth')
    other = Config(dict(default_scope='mmtrack', model=_other_model()))
    other.dump('other.py')
    _checkpoint(other, 'other.pth')

    content = json.loads(Path(VAL).read_text())
    predictions = [_prediction(image) for image in content['images']]
    with open('r.npz', 'wb') as file:
        write_predictions(file, predictions)
    with open('r.pkl', 'wb') as file:
        pickle.dump(predictions, file)

    frames = sorted(Path('data/Data/VID/val').rglob('*.JPEG'))
    codec = cv2.VideoWriter.fourcc(*'MJPG')
    writer = cv2.VideoWriter('v.avi', codec, 5, (WIDTH, HEIGHT))
    Path('frames').mkdir()
    for frame in frames:
        shutil.copy(frame, f'frames/{frame.stem}.jpg')
        writer.write(cv2.imread(str(frame)))
    writer.release()
    Path('work/1/vis_data').mkdir(parents=True)
    lines = [dict(lr=0.1, loss=2.0 - i, step=i, epoch=1) for i in range(2)]
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    Path('work/1/vis_data/scalars.json').write_text(text)
    Path('link_to_nothing').symlink_to('no/such')
    Path('loop').symlink_to('loop')
    Path('folder').mkdir()


def _other_model() -> dict:
    return dict(
        type='STPN',
        detector=tiny_models.detector('retinanet/retinanet_r50_fpn_1x_coco.py'),
        prompt_predictor=tiny_models.predictor(in_channels=128, num_heads=2),
    )


def _checkpoint(cfg: Config, path: str) -> None:
    torch.manual_seed(0)
    weights = build_model(cfg).state_dict()
    torch.save(dict(meta=dict(epoch=1, iter=3), state_dict=weights), path)


def _prediction(image: dict) -> dict:
    boxes = torch.tensor([[10.0, 10, 44, 50], [0, 0, 9, 9]])
    found = dict(
        bboxes=boxes, labels=torch.tensor([0, 1]), scores=torch.tensor([1, 0.1])
    )
    return dict(
        img_id=image['id'],
        img_path=f'data/Data/VID/{image["file_name"]}',
        ori_shape=(HEIGHT, WIDTH),
        video_id=image['video_id'],
        frame_id=image['frame_id'],
        pred_det_instances=found,
    )


# --- sets in formats of others


def _frames(folder: str, name: str = '{:06d}.jpg') -> None:
    Path(folder).mkdir(parents=True)
    for i in range(2):
        cv2.imwrite(
            f'{folder}/{name.format(i)}', np.full((HEIGHT, WIDTH, 3), 9, np.uint8)
        )


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def _write_other_formats() -> None:
    write_layout(Path('ilsvrc'))
    _frames('images/street')
    _write(
        'cvat.xml',
        '<annotations><meta><task><size>2</size><labels><label><name>car</name></label>'
        '</labels><source>street.mp4</source></task></meta><track id="0" label="car">'
        '<box frame="0" keyframe="1" outside="0" occluded="0" xtl="2" ytl="4" xbr="12" '
        'ybr="14"/></track></annotations>',
    )
    box = dict(x=1, y=2, width=50, height=50, rotation=0, frame=1, enabled=True, time=0)
    value = dict(framesCount=2, duration=0.1, labels=['dog'], sequence=[box])
    region = dict(id='x', type='videorectangle', value=value)
    task = dict(
        id=1,
        data=dict(video='/data/street.mp4'),
        annotations=[dict(was_cancelled=False, result=[region])],
    )
    _write('label_studio.json', json.dumps([task]))
    _frames('mot/A/img1')
    _write('mot/A/gt/gt.txt', '1,7,5,6,10,20,1,1,1\n2,7,5,6,10,20,1,1,1\n')
    _write(
        'mot/A/seqinfo.ini',
        '[Sequence]\nname=A\nimDir=img1\nframeRate=30\nseqLength=2\n'
        f'imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n',
    )
    _frames('visdrone/sequences/a', '{:07d}.jpg')
    _write('visdrone/annotations/a.txt', '1,0,5,5,10,10,1,4,0,1\n')
    size = dict(width=WIDTH, height=HEIGHT)
    _write(
        'youtube_vis.json',
        json.dumps(
            dict(
                videos=[
                    dict(
                        size,
                        id=4,
                        length=2,
                        file_names=['street/0.jpg', 'street/1.jpg'],
                    )
                ],
                categories=[dict(id=1, name='dog')],
                annotations=[
                    dict(
                        id=9,
                        video_id=4,
                        category_id=1,
                        segmentations=[[[1, 2, 11, 2, 11, 8]], None],
                    )
                ],
            )
        ),
    )
    _frames('yolo/images/clip')
    _write('yolo/labels/clip/000000.txt', '1 0.5 0.5 0.25 0.5\n')
    _write('yolo/data.yaml', 'names: [cat, dog]\n')
    _write(
        'coco.json',
        json.dumps(
            dict(
                images=[dict(size, id=5, file_name='a.jpg')],
                categories=[dict(id=18, name='dog')],
                annotations=[dict(id=1, image_id=5, category_id=18, bbox=[1, 2, 3, 4])],
            )
        ),
    )


# --- what is not what it should be

#: Files of each kind that hold no such thing; each is ``wrong/NAME.SUFFIX``.
WRONG = ('empty', 'zeros', 'random', 'text', 'utf16', 'picture', 'cut')
WRONG_JSON = (
    *('null', 'number', 'string', 'list', 'strings', 'dict', 'deep', 'nan', 'numbers'),
    *('long_number', 'images_number', 'no_images', 'no_categories', 'two_values'),
)
WRONG_CHECKPOINTS = (
    *('none', 'tensor', 'list', 'dict', 'number', 'no_weights', 'list_of_weights'),
    *('text_as_weights', 'keys_are_numbers', 'other_shapes', 'not_finite', 'partly'),
    *('other_names', 'attack', 'pickle', 'archive'),
)
WRONG_RESULTS = (
    *('none', 'list', 'dict', 'strings', 'no_id', 'other_images', 'no_boxes', 'twice'),
    *(
        'number_as_boxes',
        'label_too_large',
        'nan_boxes',
        'ragged',
        'attack',
        'one_left',
    ),
    'swapped_boxes',
)
WRONG_NPZ = ('arrays', 'images_no_json', 'missing_group', 'archive', 'objects')

#: Faulty configs, by the name of their file in ``wrong``, and what may be named.
CONFIGS = {
    'syntax.py': ('model = dict(', ()),
    'undefined.py': ('model = no_such_name', ('no_such_name',)),
    'no_base.py': ("_base_ = 'no_such_base.py'", ('no_such_base.py',)),
    'own_base.py': ("_base_ = 'own_base.py'", ()),
    'cycle_a.py': ("_base_ = 'cycle_b.py'", ()),
    'cycle_b.py': ("_base_ = ['cycle_a.py']", ()),
    'number_as_base.py': ('_base_ = 3', ()),
    'folder_as_base.py': ("_base_ = '../folder'", ('folder',)),
    'package_as_base.py': ("_base_ = 'nosuch::a.py'", ('nosuch',)),
    'config_of_package_as_base.py': ("_base_ = 'mmdet::no/such.py'", ('no/such.py',)),
    'divides.py': ('1 / 0', ('ZeroDivisionError',)),
    'exits.py': ('raise SystemExit(0)', ()),
    'imports.py': ('import no_such_module', ('no_such_module',)),
    'custom_imports.py': (
        "custom_imports = dict(imports=['no_such_module'])",
        ('no_such_module',),
    ),
    'text_as_custom_imports.py': ('custom_imports = 3', ('custom_imports',)),
    'reserved.py': ("filename = 'a'", ('filename',)),
    'nothing.py': ('', ()),
    'one_number.py': ('a = 1', ()),
    'model_is_none.py': ("_base_ = '../c.py'\nmodel = None", ('model',)),
    'twice.py': ("_base_ = ['../c.py', '../other.py']", ('model', 'default_scope')),
    'deleted.py': (
        "_base_ = '../c.py'\nmodel = dict(_delete_=True)",
        ('model', 'type'),
    ),
    'list_for_dict.py': ("_base_ = '../c.py'\nmodel = [1]", ('model', 'list', 'cfg')),
    'tabs.py': ('if True:\n\ta = 1\n        b = 2', ()),
    'zero_byte.py': ('a = 1\0', ()),
    'no_suffix': ('a = 1', ()),
    'config.txt': ('a = 1', ()),
    'list.json': ('[1]', ()),
    'cut.json': ('{"model": {', ()),
    'cut.yaml': ('a: [', ()),
    'number.yaml': ('3', ()),
}

_SOUND = {
    '.json': VAL,
    '.pth': 'c.pth',
    '.npz': 'r.npz',
    '.pkl': 'r.pkl',
    '.py': 'c.py',
    '.avi': 'v.avi',
    '.xml': 'cvat.xml',
}


def _write_wrong() -> None:
    Path('wrong').mkdir()
    picture = sorted(Path('frames').iterdir())[0].read_bytes()
    noise = np.random.default_rng(0).bytes(999)
    for suffix, sound in _SOUND.items():
        content = Path(sound).read_bytes()
        for name, wrong in dict(
            empty=b'',
            zeros=bytes(1000),
            random=noise,
            text=b'This is (no such [file.\n' * 9,
            utf16='some text'.encode('utf-16'),
            picture=picture,
            cut=content[: len(content) * 2 // 3],
        ).items():
            Path(f'wrong/{name}{suffix}').write_bytes(wrong)
    Path('wrong/configs').mkdir()
    for name, (text, _) in CONFIGS.items():
        Path(f'wrong/configs/{name}').write_text(text.replace('../', '../../'))
    _write_wrong_json()
    _write_wrong_checkpoints()
    _write_wrong_results()
    Path('texts').mkdir()
    Path('texts/a.txt').write_text('no image')
    Path('broken').mkdir()
    Path('broken/0.jpg').write_bytes(picture[:300])
    Path('mixed').mkdir()
    for i, size in enumerate(((64, 96), (32, 32))):
        cv2.imwrite(f'mixed/{i}.jpg', np.zeros((*size, 3), np.uint8))


def _write_wrong_json() -> None:
    content = json.loads(Path(VAL).read_text())
    for name, wrong in dict(
        null=None,
        number=3,
        string='images',
        list=[1, 2],
        strings=['images', 'videos', 'annotations', 'categories'],
        dict={},
        numbers=dict.fromkeys(content, 3),
        images_number=dict(content, images=[3]),
        no_images=dict(content, images=[]),
        no_categories=dict(content, categories=[]),
    ).items():
        Path(f'wrong/{name}.json').write_text(json.dumps(wrong))
    Path('wrong/deep.json').write_text('[' * 100_000)
    Path('wrong/two_values.json').write_text('{} {}')
    text = json.dumps(content)
    Path('wrong/nan.json').write_text(text.replace('"bbox": [', '"bbox": [NaN, '))
    long = text.replace('"height": ', '"height": ' + '9' * 5000)
    Path('wrong/long_number.json').write_text(long)


def _write_wrong_checkpoints() -> None:
    weights = torch.load('c.pth', map_location='cpu')['state_dict']
    other = torch.load('other.pth', map_location='cpu')['state_dict']
    first = next(iter(weights))
    for name, wrong in dict(
        none=None,
        tensor=torch.zeros(3),
        list=[torch.zeros(3)],
        dict={},
        number=7,
        no_weights=dict(state_dict={}),
        list_of_weights=dict(state_dict=list(weights.values())),
        text_as_weights=dict(state_dict=dict(weights, **{first: 'text'})),
        keys_are_numbers=dict(state_dict=dict(enumerate(weights.values()))),
        other_shapes=dict(
            state_dict={key: torch.zeros(2, 3) for key in weights},
        ),
        not_finite=dict(
            state_dict={
                key: value * float('nan') if value.is_floating_point() else value
                for key, value in weights.items()
            }
        ),
        partly=dict(state_dict=dict(list(weights.items())[::2])),
        other_names=dict(
            state_dict={f'a.{key}': value for key, value in other.items()}
        ),
    ).items():
        torch.save(wrong, f'wrong/{name}.pth')
    attack = attacks(Path('executed'))['system']
    Path('wrong/attack.pth').write_bytes(as_zip(attack))
    Path('wrong/pickle.pth').write_bytes(Path('r.pkl').read_bytes())
    Path('wrong/archive.pth').write_bytes(Path('r.npz').read_bytes())


def _write_wrong_results() -> None:
    predictions: list[dict[str, Any]] = pickle.loads(Path('r.pkl').read_bytes())

    def changed(**fields: Any) -> list[dict]:
        made = []
        for p in predictions:
            made.append(
                dict(p, pred_det_instances={**p['pred_det_instances'], **fields})
            )
        return made

    def without(key: str) -> list[dict]:
        return [{k: v for k, v in p.items() if k != key} for p in predictions]

    results: dict[str, Any] = dict(
        none=None,
        list=[],
        dict={},
        strings=['a', 'b'],
        no_id=without('img_id'),
        no_boxes=without('pred_det_instances'),
        other_images=[dict(p, img_id=900 + p['img_id']) for p in predictions],
        twice=[*predictions, predictions[0]],
        one_left=predictions[:-1],
        number_as_boxes=changed(bboxes=3),
        label_too_large=changed(labels=torch.tensor([0, len(CLASSES)])),
        nan_boxes=changed(bboxes=torch.full((2, 4), float('nan'))),
        swapped_boxes=changed(bboxes=torch.tensor([[9.0, 9, 1, 1]] * 2)),
        ragged=changed(scores=torch.zeros(1)),
    )
    for name, wrong in results.items():
        Path(f'wrong/{name}.pkl').write_bytes(pickle.dumps(wrong))
    attack = attacks(Path('executed'))['system']
    Path('wrong/attack.pkl').write_bytes(as_pickle(attack))
    np.savez('wrong/arrays.npz', a=np.zeros(3))
    np.savez('wrong/images_no_json.npz', images=np.zeros(9, np.uint8))
    images = np.frombuffer(b'[{"img_id": 1}, {"img_id": 2}]', np.uint8)
    counts = np.array([1, 1])
    np.savez(
        'wrong/missing_group.npz',
        **{'images': images, 'pred_det_instances/count': counts},
    )
    np.savez('wrong/objects.npz', images=np.array([{}, None], object))
    Path('wrong/archive.npz').write_bytes(Path('c.pth').read_bytes())
