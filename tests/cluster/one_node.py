"""A real Slurm of one node, on loopback and without system services, for the tests.

It needs root, Debian's packages ``slurm-wlm``, ``slurm-client`` and ``munge``, and a machine that
has no Slurm of its own. By hand: ``python tests/cluster/one_node.py start|stop FOLDER``.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
# Clients that find no file here ask a name server where their controller is.
CONFIG = Path("/etc/slurm/slurm.conf")
GPUS_CONFIG = Path("/etc/slurm/gres.conf")
HOSTS = Path("/etc/hosts")
HOSTS_MARK = "# for the tests of pam-bench"
MUNGE_SOCKET = Path("/run/munge/munge.socket.2")
PARTITION = "main"
# Jobs here push those of the other partition off the node, back into the queue.
URGENT_PARTITION = "urgent"
CPUS = 4
MEMORY_MB = 64000
GPUS = 4
START_SECONDS = 30
STOP_SECONDS = 20


def missing() -> str:
    """Return why no Slurm can be started here, or nothing."""
    if os.geteuid() != 0:
        return "starting a Slurm needs root"
    # Daemons lie in sbin, which not every PATH has.
    absent = [name for name in PROGRAMS if _program(name) is None]
    if absent:
        return (
            f"there is no {', '.join(absent)}: "
            "apt-get install --no-install-recommends slurm-wlm slurm-client munge"
        )
    if CONFIG.exists() and not CONFIG.is_symlink():
        return f"{CONFIG} exists: this machine has a Slurm of its own"
    return ""


class OneNodeSlurm:
    """The daemons of one Slurm, their files below one folder.

    Attributes:
        folder: where configuration, state, logs and process ids lie.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]

    def start(self) -> None:
        """Start all daemons and wait until the node takes jobs."""
        if CONFIG.is_symlink():
            # What a test that was killed has left.
            OneNodeSlurm(CONFIG.readlink().parent.parent).stop()
        for name in ("etc", "log", "run", "spool", "state"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self._name_this_host()
        self._configure()
        self._start_munge()
        self.start_controller()
        _run("slurmd")
        try:
            _wait_for(self._idle, "the node to take jobs")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log('slurmctld')}\n{self.log('slurmd')}") from None

    def start_controller(self) -> None:
        """Start slurmctld, which finds the state that an earlier one has left."""
        _run("slurmctld")

    def stop_controller(self) -> None:
        """Stop slurmctld alone; running jobs go on."""
        self._stop_daemon("slurmctld")

    def stop(self) -> None:
        """Stop all daemons, by their process ids, and take every file elsewhere away again."""
        for name in ("slurmd", "slurmctld", "munged"):
            self._stop_daemon(name)
        for link in (CONFIG, GPUS_CONFIG):
            if link.is_symlink():
                link.unlink()
        lines = HOSTS.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if HOSTS_MARK not in line]
        if kept != lines:
            HOSTS.write_text("".join(kept), encoding="utf-8")

    def log(self, daemon: str) -> str:
        """Return what a daemon has written so far."""
        path = self.folder / "log" / f"{daemon}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def jobs(self) -> list[dict[str, str]]:
        """Return what Slurm knows of every job of the last hour, ended ones too, by its names."""
        lines = subprocess.run(
            ["scontrol", "--oneliner", "show", "jobs"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return [dict(word.partition("=")[::2] for word in line.split()) for line in lines]

    def _configure(self) -> None:
        gpus = self.folder / "etc" / "gres.conf"
        # Files that exist are enough for Slurm to hand out a GPU; nothing opens them here.
        files = ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"][:GPUS]
        gpus.write_text("".join(f"Name=gpu File={file}\n" for file in files), encoding="utf-8")
        config = self.folder / "etc" / "slurm.conf"
        config.write_text(self._settings(), encoding="utf-8")
        CONFIG.parent.mkdir(parents=True, exist_ok=True)
        for link, target in ((CONFIG, config), (GPUS_CONFIG, gpus)):
            link.unlink(missing_ok=True)
            link.symlink_to(target.resolve())

    def _settings(self) -> str:
        folder = self.folder.resolve()
        return f"""\
ClusterName=tests
SlurmctldHost={self.host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# How long a requeued job waits before it starts again.
AuthInfo=cred_expire=10
# Nothing but loopback.
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort=26817
SlurmdPort=26818
SrunPortRange=26830-26899
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# Memory by looking every second: works without control groups.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# CPUs and memory that the machine does not have: several jobs at once, as large as they ask for.
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
KillWait=2
OverTimeLimit=0
MinJobAge=3600
MessageTimeout=20
# How long clients that find no controller wait before they try again.
SlurmctldTimeout=10
# As at a site that keeps no accounts.
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName={self.host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY_MB} Gres=gpu:{GPUS}
PartitionName={PARTITION} Nodes={self.host} Default=YES MaxTime=3-0 DefaultTime=10 PriorityTier=1
PartitionName={URGENT_PARTITION} Nodes={self.host} MaxTime=60 PriorityTier=2
"""

    def _start_munge(self) -> None:
        # The compiled-in socket: not every client can be told another one.
        MUNGE_SOCKET.parent.mkdir(mode=0o755, exist_ok=True)
        key = self.folder / "etc" / "munge.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(os.urandom(128))
        _run(
            "munged",
            "--force",
            f"--socket={MUNGE_SOCKET}",
            f"--key-file={key}",
            f"--pid-file={self.folder}/run/munged.pid",
            f"--log-file={self.folder}/log/munged.log",
            f"--seed-file={self.folder}/state/munged.seed",
        )

    def _name_this_host(self) -> None:
        try:
            local = socket.gethostbyname(self.host).startswith("127.")
        except OSError:
            local = False
        if not local:
            with HOSTS.open("a", encoding="utf-8") as hosts:
                hosts.write(f"127.0.0.1 {self.host} {HOSTS_MARK}\n")

    def _idle(self) -> bool:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T", f"--partition={PARTITION}"],
            capture_output=True,
            text=True,
        )
        return done.stdout.strip() == "idle"

    def _stop_daemon(self, name: str) -> None:
        file = self.folder / "run" / f"{name}.pid"
        if not file.exists():
            return
        with suppress(psutil.NoSuchProcess):
            daemon = psutil.Process(int(file.read_text(encoding="utf-8")))
            # A number that is left of a killed daemon may be another process's by now.
            if daemon.name() == name:
                daemon.terminate()
                _wait_for(lambda: _ended(daemon), f"{name} to stop", STOP_SECONDS)
        file.unlink(missing_ok=True)


def _ended(process: psutil.Process) -> bool:
    # Where nothing collects orphans, an ended daemon stays as a zombie.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def _run(name: str, *arguments: str) -> None:
    subprocess.run([str(_program(name)), *arguments], check=True)


def _wait_for(condition, what: str, seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    verb, folder = sys.argv[1:]
    slurm = OneNodeSlurm(Path(folder))
    {"start": slurm.start, "stop": slurm.stop}[verb]()
