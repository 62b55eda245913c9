"""Loading of frames that nobody has extracted from their video."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmtrack.registry import TRANSFORMS

from ..image_files import ImageError, check_size
from ..video_frames import VideoFrameReader, as_video_frame


@TRANSFORMS.register_module()
class LoadFrameFromVideo(LoadImageFromFile):
    """Loads images, and frames of video files by names such as ``clip.mp4/000012``.

    That is the frame that is the thirteenth when ``clip.mp4`` is read from its start:
    exactly that one, with B-frames and with uneven frame rates, too. In a CocoVID file
    it is the ``file_name`` of an image. All other names are those of image files, and
    are left to ``LoadImageFromFile``.

    A frame costs as much as those since the key frame before it, which have to be
    decoded. Videos for training load fastest with a key frame every dozen frames
    (``ffmpeg -i in.mp4 -g 12 out.mp4``).

    Args:
        max_open: Number of videos that each process keeps open. Defaults to 8.
        kwargs: As for ``LoadImageFromFile``. Frames of videos are in colour, BGR.

    Raises:
        ValueError: Another ``color_type`` is asked for.
    """

    def __init__(self, max_open: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.color_type != 'color':
            raise ValueError(
                f'color_type={self.color_type!r}: LoadFrameFromVideo loads in colour'
            )
        self.reader = VideoFrameReader(max_open)

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Load an image.

        Args:
            results: ``img_path``; ``height`` and ``width`` where they are known.

        Returns:
            The same with ``img`` (H, W, 3), BGR, uint8 or float32, ``img_shape`` and
            ``ori_shape``; None if it cannot be loaded and ``ignore_empty`` is set.

        Raises:
            ImageError: The frame cannot be loaded, or is not of the size that its
                annotations are for.
            OSError: The image file cannot be read.
        """
        frame = as_video_frame(str(results['img_path']))
        if frame is None:
            return super().transform(results)
        try:
            image = self.reader.read(frame)
            check_size(image, b'', results)
        except ImageError as error:
            if self.ignore_empty:
                return None
            raise ImageError(f'video {frame.video}: {error}') from error
        if self.to_float32:
            image = image.astype(np.float32)
        shape = image.shape[:2]
        results.update(img=image, img_shape=shape, ori_shape=shape)
        return results
