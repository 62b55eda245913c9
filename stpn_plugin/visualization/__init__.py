"""Figures of detectors: accuracy, errors, training, attention of prompts.

Functions named ``plot_*`` return matplotlib figures; :func:`save_figure` writes them.
"""

from .attention import PatchAttention, RecordedAttention, record_attention
from .attention_plots import plot_stage_attention, plot_support_attention, stage_shares
from .html_page import HtmlPage
from .metric_plots import (
    class_aps,
    mean_precision,
    motion_aps,
    per_class_precision,
    plot_class_aps,
    plot_confusion_matrix,
    plot_error_breakdown,
    plot_motion_ap,
    plot_precision_recall,
)
from .prompt_attention import plot_prompt_attention
from .prompt_comparison import (
    PromptComparison,
    compare_prompts,
    plot_prompt_comparison,
    prompts_withheld,
)
from .report import write_report
from .style import save_figure
from .train_samples import plot_sample
from .training_curves import (
    Curve,
    load_curves,
    load_named_trainings,
    load_trainings,
    plot_training_curves,
    smooth,
)
from .video_runs import (
    Video,
    build_detector,
    check_frames,
    find_video,
    least_sharp,
    run_video,
)
from .worst_frames import pick_worst, plot_worst_frames

__all__ = [
    'Curve',
    'HtmlPage',
    'PatchAttention',
    'PromptComparison',
    'RecordedAttention',
    'Video',
    'build_detector',
    'check_frames',
    'class_aps',
    'compare_prompts',
    'find_video',
    'least_sharp',
    'load_curves',
    'load_named_trainings',
    'load_trainings',
    'mean_precision',
    'motion_aps',
    'per_class_precision',
    'pick_worst',
    'plot_class_aps',
    'plot_confusion_matrix',
    'plot_error_breakdown',
    'plot_motion_ap',
    'plot_precision_recall',
    'plot_prompt_attention',
    'plot_prompt_comparison',
    'plot_sample',
    'plot_stage_attention',
    'plot_support_attention',
    'plot_training_curves',
    'plot_worst_frames',
    'prompts_withheld',
    'record_attention',
    'run_video',
    'save_figure',
    'smooth',
    'stage_shares',
    'write_report',
]
