"""What a video remembers between its frames."""

from __future__ import annotations

from typing import Any, Optional

from torch import Tensor


class SupportMemory:
    """The prompts of the video under test.

    It is filled at a video's frame 0 and emptied after its last frame, or
    when another video begins. It holds no parameters and is not part of any
    ``state_dict``.
    """

    def __init__(self) -> None:
        self._video_id: Any = None
        self._prompts: Optional[Tensor] = None

    def start(self, video_id: Any, prompts: Tensor) -> None:
        """Begin a video, forgetting the one before."""
        self._video_id = video_id
        self._prompts = prompts

    def recall(self, video_id: Any, frame_id: int) -> Tensor:
        """Prompts (1, P, C) of the running video.

        Raises:
            RuntimeError: The video was not begun by its frame 0.
        """
        if self._prompts is None or self._video_id != video_id:
            raise RuntimeError(
                f'frame {frame_id} of video {video_id} arrived before frame 0 of that '
                'video. The frames of a video must be tested in order, starting with '
                'frame 0 and its support frames: use the VideoSampler and '
                'batch_size=1, as the configs do'
            )
        return self._prompts

    def clear(self) -> None:
        """Forget the video."""
        self._video_id = None
        self._prompts = None
