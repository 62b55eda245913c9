"""What becomes of the weights of a checkpoint that a runner loads."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from mmtrack.registry import HOOKS

from ...builders import check_training_state, take_weights


@HOOKS.register_module()
class FitWeightsHook(Hook):
    """Let training start from any weights that fit, and nothing else from fewer.

    Training may start (``load_from``) from a checkpoint of other classes or of another
    head: weights of another shape, and those that the checkpoint lacks, keep their
    initial values and are listed in the log. A test, and training that resumes, need
    each parameter in its shape.

    mmengine's runner warns in all of these cases and goes on.
    """

    # Before hooks that copy the weights elsewhere, as mmengine's EMAHook does.
    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load what fits, and hand the complete weights over to the runner.

        Args:
            runner: The runner that is about to take the weights.
            checkpoint: What was in the file. At the start of a training its
                ``state_dict`` is replaced by the model's.

        Raises:
            ValueError: If the checkpoint does not fit.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # As mmengine's EMAHook asks; there is no public way.
        name, resume = runner._load_from or 'the latest checkpoint', runner._resume
        starts = isinstance(runner.optim_wrapper, OptimWrapper) and not resume
        fit = take_weights(model, checkpoint, name, partly=starts)
        if resume:
            check_training_state(checkpoint, name)
        if starts:
            if not fit.exact:
                runner.logger.warning(f'Training starts from {name}: {fit.report()}')
            checkpoint['state_dict'] = model.state_dict()
