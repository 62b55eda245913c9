"""``stpn check``: faults of annotation files in a table and as JSON."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import mmcv
import pytest

from stpn_plugin.cli.check import main
from tests.support import faulty_sets
from tests.support.commands import ROOT
from tests.support.faulty_sets import image_files
from tests.support.tiny_data import write_tiny_vid


@pytest.fixture
def vid(tmp_path: Path) -> Path:
    root = write_tiny_vid(tmp_path, num_train_videos=1, num_val_videos=2, num_stills=1)
    return root / 'annotations/imagenet_vid_val.json'


def spoil(path: Path) -> None:
    """Make a gap in a video, and an annotation of no image."""
    content = json.loads(path.read_text())
    content['images'][-1]['frame_id'] += 5
    content['images'][0]['height'] = '64'
    content['annotations'][0]['image_id'] = 10**6
    path.write_text(json.dumps(content))


def write_config(path: Path, ann_file: Path, dataset: str) -> str:
    path.write_text(
        f'dataset = dict(type={dataset!r}, data_root={str(ann_file.parent)!r},\n'
        f'    ann_file={ann_file.name!r})\n'
        "train_dataloader = dict(dataset=dict(type='ConcatDataset',\n"
        '    datasets=[dataset]))\n'
    )
    return str(path)


def test_clean(vid: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(vid)]) == 0
    assert capsys.readouterr().out == f'{vid} has no faults\n'


def test_every_fault_with_its_place(
    vid: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first = json.loads(vid.read_text())['images'][0]['file_name']
    spoil(vid)
    out = tmp_path / 'made/faults.json'
    assert main([str(vid), '--out', str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.err == ''
    faults = json.loads(out.read_text())
    assert [fault['kind'] for fault in faults] == ['VALUE', 'UNKNOWN_ID', 'FRAME_ID']
    assert {fault['file'] for fault in faults} == {str(vid)}
    assert faults[0]['frame'] == first and faults[0]['video'] in first
    assert faults[2]['video'] and faults[2]['frame'] is None
    rows = [line for line in captured.out.splitlines() if line.startswith(f'| {vid}')]
    assert len(rows) == 3
    for row, fault in zip(rows, faults):
        assert fault['text'] in row and (fault['video'] or '') in row
        assert fault['remedy'] in captured.out


def test_faults_are_those_for_the_data_sets_of_a_config(
    vid: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    content = json.loads(vid.read_text())
    for image in content['images']:
        image.pop('is_vid_train_frame', None)
    vid.write_text(json.dumps(content))
    base = write_config(tmp_path / 'base.py', vid, 'BaseVideoDataset')
    imagenet = write_config(tmp_path / 'imagenet.py', vid, 'mmtrack.ImagenetVIDDataset')
    assert main([str(vid), '--config', base]) == 0
    assert main([str(vid), '--config', imagenet]) == 1
    assert 'lacks is_vid_train_frame' in capsys.readouterr().out
    other = tmp_path / 'other.json'
    other.write_text(vid.read_text())
    assert main([str(other), '--config', base]) == 2
    assert f'has the annotation file {other}' in capsys.readouterr().err


def test_stills(vid: Path, capsys: pytest.CaptureFixture) -> None:
    det = vid.with_name('imagenet_det_30plus1cls.json')
    assert main([str(det)]) == 1
    assert 'Set load_as_video=False for still images' in capsys.readouterr().out
    assert main([str(det), '--stills']) == 0
    det.write_text(json.dumps({**json.loads(det.read_text()), 'annotations': []}))
    assert main([str(det), '--stills']) == 1
    assert 'no image of the file has a box' in capsys.readouterr().out


def test_no_json(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / 'a.json'
    path.write_text('no JSON')
    assert main([str(path)]) == 2
    assert f'{path} is no JSON' in capsys.readouterr().err


def with_boxes(path: Path, *boxes: list) -> None:
    content = json.loads(path.read_text())
    for annotation, box in zip(content['annotations'], boxes):
        annotation['bbox'] = box
    path.write_text(json.dumps(content))


def kinds(path: Path) -> set[str]:
    return {fault['kind'] for fault in json.loads(path.read_text())}


@pytest.mark.parametrize('jobs', [1, 2])
def test_images_are_read(
    vid: Path, tmp_path: Path, jobs: int, capsys: pytest.CaptureFixture
) -> None:
    images = tmp_path / 'Data/VID'
    out = tmp_path / 'faults.json'
    options = [
        str(vid),
        '--images',
        str(images),
        '--jobs',
        str(jobs),
        '--json',
        str(out),
    ]
    assert main(options) == 0
    paths = image_files(tmp_path, 'val')
    paths[0].unlink()
    paths[1].write_bytes(b'')
    paths[2].write_bytes(paths[2].read_bytes()[:300])
    mmcv.imwrite(mmcv.imread(str(paths[3]))[::2], str(paths[3]))
    assert main(options) == 1
    faults = json.loads(out.read_text())
    assert [fault['kind'] for fault in faults] == [*['IMAGE_FILE'] * 3, 'IMAGE_SIZE']
    for fault, path, reason in zip(
        faults,
        paths,
        ('No such file', 'is empty', 'is cut short', '96 x 32, but 96 x 64'),
    ):
        assert str(path) in fault['text'] and reason in fault['text']
        assert str(path).endswith(fault['frame']) and fault['video'] in fault['frame']
    assert '9/9' in capsys.readouterr().err
    assert main([str(vid), '--images', str(tmp_path / 'no')]) == 2


def test_what_data_sets_cope_with(vid: Path, tmp_path: Path) -> None:
    content = json.loads(vid.read_text())
    first, second = content['images'][:2]
    first['file_name'], second['file_name'] = second['file_name'], first['file_name']
    content['images'][2]['file_name'] = '../a/000002.JPEG'
    content['images'][3]['height'] = 128
    content['videos'].append(dict(id=3, name='third'))
    content['annotations'][1]['instance_id'] = 2
    content['annotations'].append({**content['annotations'][0], 'id': 99})
    content['annotations'][2]['category_id'] = 99
    vid.write_text(json.dumps(content))
    with_boxes(vid, [8, 8, 9, 9], [-4, 8, 9, 9], [8, 8, 0, 9], [900, 8, 9, 9])
    out = tmp_path / 'faults.json'
    assert main([str(vid), '--json', str(out)]) == 1
    assert kinds(out) == {
        *('BOX', 'BOX_OUTSIDE', 'INSTANCE', 'NO_BOXES', 'ORDER', 'PATH', 'FRAME_SIZE'),
        'UNKNOWN_CLASS',
    }
    content['annotations'][-1]['bbox'] = content['annotations'][0]['bbox']
    vid.write_text(json.dumps(content))
    main([str(vid), '--json', str(out)])
    assert 'REPEATED' in kinds(out)


def test_classes_of_a_config(vid: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / 'c.py', vid, 'mmtrack.ImagenetVIDDataset')
    assert main([str(vid), '--config', config]) == 0
    content = json.loads(vid.read_text())
    content['categories'][0]['name'] = 'aeroplane'
    vid.write_text(json.dumps(content))
    out = tmp_path / 'faults.json'
    assert main([str(vid), '--config', config, '--json', str(out)]) == 1
    (fault,) = json.loads(out.read_text())
    assert fault['kind'] == 'CLASSES' and 'airplane' in fault['text']


def test_fixed_copy(vid: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    content = json.loads(vid.read_text())
    content['annotations'][3]['id'] = 1
    content['annotations'][4]['category_id'] = 99
    content['images'][6]['height'] = 'high'
    vid.write_text(json.dumps(content))
    with_boxes(vid, [8, 8, float('nan'), 9], [-4, 8, 9, 9])
    image_files(tmp_path, 'val')[2].unlink()
    before = vid.read_bytes()
    fixed = tmp_path / 'fixed.json'
    images = str(tmp_path / 'Data/VID')
    options = ['--images', images, '--jobs', '1']
    assert main([str(vid), *options, '--fix', str(fixed)]) == 1
    told = capsys.readouterr().out
    assert vid.read_bytes() == before
    assert main([str(fixed), *options]) == 0
    made = json.loads(fixed.read_text())
    assert len(made['images']) == 9 - 2 and len(made['annotations']) == 9 - 4
    assert made['annotations'][0]['bbox'] == [0, 8, 5, 9]
    assert [image['frame_id'] for image in made['images']] == [0, 1, 2, 0, 1, 2, 3]
    for text in (
        'image 3 removed',
        'image 7 removed',
        'annotation 1 removed',
        'annotation 1, there before, is now',
        'clipped',
        'frames are counted',
    ):
        assert text in told  # fmt: skip
    assert main([str(vid), '--fix', str(vid)]) == 2
    vid.write_text('[]')
    assert main([str(vid), '--fix', str(tmp_path / 'no.json')]) == 2
    assert not (tmp_path / 'no.json').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    'signum, message',
    [(signal.SIGINT, 'check: stopped'), (signal.SIGTERM, 'stopped by SIGTERM')],
)
def test_stopped(vid: Path, tmp_path: Path, signum: int, message: str) -> None:
    content = json.loads(vid.read_text())
    images = content['images']
    last = len(images)
    content['images'] += [
        {**images[-1], 'id': last + i, 'frame_id': images[-1]['frame_id'] + i}
        for i in range(1, 60_000)
    ]
    vid.write_text(json.dumps(content))
    out = tmp_path / 'faults.json'
    command = [sys.executable, '-m', 'stpn_command', 'check', str(vid), '--jobs', '2']
    command += ['--images', str(tmp_path / 'Data/VID'), '--json', str(out)]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, encoding='utf-8',
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    while 'image' not in process.stderr.readline():
        pass
    os.killpg(process.pid, signum)  # as a terminal does
    told = process.stderr.read()
    assert message in told and 'Traceback' not in told
    assert process.wait() == 130
    assert not out.exists()
    with pytest.raises(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, 0)


@pytest.mark.parametrize('case', faulty_sets.CONTENT, ids=lambda case: case.name)
def test_fixed_copies_of_all_faults(
    case: faulty_sets.Case, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    base = tmp_path_factory.getbasetemp() / 'base'
    if not base.exists():
        write_tiny_vid(base, num_stills=1)
    shutil.copytree(base / 'annotations', tmp_path / 'annotations')
    case.spoil(tmp_path)
    vid = tmp_path / 'annotations/imagenet_vid_val.json'
    fixed = tmp_path / 'fixed.json'
    status = main([str(vid), '--fix', str(fixed), '--json', str(tmp_path / 'f.json')])
    assert status in (0, 1, 2)
    if status == 2 or not fixed.exists():
        assert kinds(tmp_path / 'f.json')
        return
    main([str(fixed), '--json', str(tmp_path / 'left.json')])
    assert kinds(tmp_path / 'left.json') <= {
        *('NO_BOXES', 'INSTANCE', 'ORDER', 'FRAME_SIZE', 'PATH', 'STILLS'),
    }
