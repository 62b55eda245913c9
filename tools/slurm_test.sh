#!/usr/bin/env bash
# Test on a slurm cluster, one process per GPU:
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG [CHECKPOINT] [arguments of test.py ...]
# Environment: GPUS (in all), GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS (further
# arguments of srun); PYTHON, the interpreter.
set -euo pipefail

if [ $# -lt 3 ]; then
    echo "Usage: $0 PARTITION JOB_NAME CONFIG [CHECKPOINT] [arguments of test.py ...]" >&2
    exit 2
fi
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
shift 3
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}

# SRUN_ARGS is a list of words.
# shellcheck disable=SC2086
PYTHONPATH="$(dirname "$0")/..${PYTHONPATH:+:$PYTHONPATH}" \
srun -p "$PARTITION" \
    --job-name="$JOB_NAME" \
    --gres="gpu:$GPUS_PER_NODE" \
    --ntasks="$GPUS" \
    --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/test.py" "$CONFIG" \
    "$@" --launcher slurm
