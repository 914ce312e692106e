#!/usr/bin/env bash
# Goes on with a training.
#   ./resume_training.sh                           lists the checkpoints
#   ./resume_training.sh checkpoint-500 [flags]    goes on from this one (a name, a path, or latest)
# Flags go to the training script, for example --config FILE.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python="$here/../.venv/bin/python"
[ -x "$python" ] || python=$(command -v python3)
if [ $# -eq 0 ]; then
  "$python" "$here/test_checkpoint.py" --list_checkpoints
  echo "To go on from one: $0 checkpoint-N [--config FILE]" >&2
  exit 0
fi
checkpoint=$1
shift
gpus=$("$python" -c 'from chapbook.stages import gpu_count; print(gpu_count())')
if [ "$gpus" -gt 1 ]; then
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
  exec "$python" -m torch.distributed.run --nproc_per_node="$gpus" "$here/train_model_slm.py" \
    --resume_from_checkpoint "$checkpoint" "$@"
fi
exec "$python" "$here/train_model_slm.py" --resume_from_checkpoint "$checkpoint" "$@"
