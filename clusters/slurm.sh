#!/usr/bin/env bash
# Sweeps in a Slurm allocation: a Ray head on its first node, trials on all of its nodes.
#
#   sbatch --nodes=4 clusters/slurm.sh \
#       python sweeps/sample_count.py --preset paper --address auto --gpus-per-trial 1 \
#       --tracking-uri http://SERVER:5000 --storage /shared/ssmpe/checkpoints --data-root /shared/data
#   squeue --me; tail -f slurm-JOB.log      see it; the log has the ssh line for Ray's dashboard
#   scancel --batch --signal=TERM JOB       end it; python … --resume NAME --address auto goes on
#
# Submitted in the project's root, which like home is the same folder on all nodes, with the project
# installed there once: python3.11 -m venv .venv && .venv/bin/pip install -e '.[cluster]'
# The MLflow server runs elsewhere, as on the login node (clusters/README.md: a tracking server).
#
# To edit, or to give to sbatch: what follows. Cost: at most nodes × GPUs × time of your quota, all of
# it until the sweep ends.
#SBATCH --job-name=ssmpe
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --output=slurm-%j.log
# two minutes before the time is up the sweep is told to end, to be resumed by the next job
#SBATCH --signal=B:TERM@120
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "usage: sbatch clusters/slurm.sh python sweeps/NAME.py --address auto …" >&2
    exit 2
fi
cd "$SLURM_SUBMIT_DIR"
# shellcheck source=/dev/null
. .venv/bin/activate

# others have jobs on these nodes: without the token Ray takes orders from nobody
export RAY_AUTH_MODE=token
[ -s ~/.ray/auth_token ] || ray get-auth-token --generate >/dev/null
# Ray itself makes it as readable as any file
chmod 600 ~/.ray/auth_token

# several jobs may share a node, so no port is Ray's default
port=$((20000 + SLURM_JOB_ID % 10000))
dashboard=$((port + 10000))
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
# this script runs on the first node
address=$(python -c 'import ray; print(ray.util.get_node_ip_address())')
# where --address auto, and the waiting below, find the cluster
export RAY_ADDRESS="$address:$port"
node=(--block --disable-usage-stats --num-cpus="$SLURM_CPUS_PER_TASK"
    --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --min-worker-port=0 --max-worker-port=0
    --dashboard-agent-listen-port=$((port + 20000)))
step=(srun --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK")

steps=()
# shellcheck disable=SC2329  # called by the trap
end_steps() {
    for pid in "${steps[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
}
trap end_steps EXIT

wait_for_nodes() {
    python - "$1" <<'END'
import sys, time, ray
deadline = time.monotonic() + 300
while True:
    try:
        ray.init(log_to_driver=False, logging_level="ERROR")
        if sum(node["Alive"] for node in ray.nodes()) >= int(sys.argv[1]):
            break
    except ConnectionError:
        pass
    ray.shutdown()
    if time.monotonic() > deadline:
        sys.exit(f"fewer than {sys.argv[1]} nodes have joined within 5 minutes")
    time.sleep(2)
END
}

RAY_ADDRESS='' "${step[@]}" --nodes=1 --nodelist="$first" ray start --head --port="$port" \
    --dashboard-host=127.0.0.1 --dashboard-port="$dashboard" \
    --temp-dir="/tmp/ray-$SLURM_JOB_ID" "${node[@]}" &
steps+=($!)
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    wait_for_nodes 1
    "${step[@]}" --nodes=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$first" \
        ray start --address="$RAY_ADDRESS" "${node[@]}" &
    steps+=($!)
fi
wait_for_nodes "$SLURM_JOB_NUM_NODES"
echo "Ray's dashboard: ssh -N -L 8265:localhost:$dashboard $first, then http://localhost:8265" \
    "(asks for what is in ~/.ray/auth_token)"

"$@" &
sweep=$!
trap 'kill -TERM "$sweep"' TERM
code=0
# a signal ends a wait, not the sweep
while wait "$sweep" || code=$?; kill -0 "$sweep" 2>/dev/null; do code=0; done
exit "$code"
