#!/usr/bin/env python3
"""Compares nodelift's SSH transport with asyncssh, pdsh, clush and ansible-core: one run, one machine, the same servers.

    benches/compare.py [--hosts 200] [--rounds 5] [--venv FOLDER] [--json FILE]

Needs Linux, sshd, ssh and python3 with venv. asyncssh, clustershell and ansible-core are installed from PyPI into a folder that is
removed at the end (or kept and used again, with --venv); pdsh from apt, as root. What is missing is said and left out.

Every measurement is a process of its own, seen from outside (wait4): wall and processor time include its start and what it
started. For nodelift and asyncssh, which stay one process, the time inside it is told as well: from the first connect to the last
answer. The tools take turns in every round, each time beginning with another one.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
NODES, CHECKS, LARGE = 16, 40, 50
# What a check is here: the same to PowerShell and to its stand-in.
CHECK = "echo 1"

ASYNCSSH = r'''
import asyncio, asyncssh, json, sys, time
site, what = json.load(open(sys.argv[1])), sys.argv[2]
hosts, blob = site["hosts"], open(site["blob"], "rb").read()
async def main():
    start = time.perf_counter()
    async def one(host):
        c = await asyncssh.connect(host, port=site["port"], username=site["user"], client_keys=[site["key"]],
            known_hosts=site["known_hosts"], config=None, agent_path=None)
        await echo(c)
        return c
    async def echo(c):
        assert (await c.run("echo ok")).stdout == "ok\n"
    async def large(c):
        assert (await c.run("cat " + site["blob"], encoding=None)).stdout == blob
    connections = await asyncio.gather(*map(one, hosts))
    told = {"cold": time.perf_counter() - start}
    if what == "all":
        start = time.perf_counter()
        await asyncio.gather(*map(echo, connections))
        told["warm"] = time.perf_counter() - start
        start = time.perf_counter()
        await asyncio.gather(*map(large, connections[:50]))
        told["large"] = time.perf_counter() - start
    print(json.dumps(told), flush=True)
asyncio.run(main())
'''


def sh(*words, **options):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True, **options).stdout


def below(pid):
    """All processes below one."""
    found, at = [pid], 0
    while at < len(found):
        try:
            for task in os.listdir(f"/proc/{found[at]}/task"):
                found += map(int, open(f"/proc/{found[at]}/task/{task}/children").read().split())
        except OSError:
            pass
        at += 1
    return found


def memory(pid):
    """MiB of a process: what it alone holds, and its part of what it shares."""
    try:
        for line in open(f"/proc/{pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0


class Run:
    """One process to its end: wall, processor time, what it said; memory and processes only where they are asked for."""

    def __init__(self, words, env=None, watch=False, cwd=None):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            start = time.perf_counter()
            child = subprocess.Popen([str(w) for w in words], stdout=out, stderr=errors, stdin=subprocess.DEVNULL,
                                     env={**os.environ, **(env or {})}, cwd=cwd)
            self.peak, self.processes, ended = 0.0, 1, threading.Event()
            watcher = threading.Thread(target=self.watch, args=(child.pid, ended))
            if watch:
                watcher.start()
            _, status, used = os.wait4(child.pid, 0)
            self.wall, self.cpu = time.perf_counter() - start, used.ru_utime + used.ru_stime
            child.returncode = os.waitstatus_to_exitcode(status)
            ended.set()
            if watch:
                watcher.join()
            out.seek(0), errors.seek(0)
            self.out, self.errors = out.read(), errors.read().decode(errors="replace")
            if child.returncode:
                raise RuntimeError(f"{words[0]} ended with {child.returncode}: {self.errors[-400:]}")

    def watch(self, pid, ended):
        while not ended.wait(0.1):
            all_of_it = below(pid)
            self.processes = max(self.processes, len(all_of_it))
            self.peak = max(self.peak, sum(map(memory, all_of_it)))


class Figures:
    def __init__(self):
        self.all = {}

    def note(self, tool, what, value):
        self.all.setdefault((what, tool), []).append(value)


class Site:
    """The servers, and what each tool needs to find them."""

    def __init__(self, bench, hosts, work):
        self.bench, self.work = bench, work
        self.server = subprocess.Popen([bench, "serve", str(hosts)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.folder = pathlib.Path(self.server.stdout.readline().strip())
        self.site = json.loads((self.folder / "site.json").read_text())
        self.hosts = self.site["hosts"]
        self.blob = pathlib.Path(self.site["blob"]).read_bytes()
        common = (f"Host *\n Port {self.site['port']}\n User {self.site['user']}\n IdentityFile {self.site['key']}\n"
                  f" IdentitiesOnly yes\n UserKnownHostsFile {self.site['known_hosts']}\n BatchMode yes\n LogLevel ERROR\n")
        self.cold, self.warm = work / "cold.conf", work / "warm.conf"
        self.cold.write_text(common)
        self.warm.write_text(common + f" ControlMaster auto\n ControlPath {work}/m-%C\n ControlPersist 600\n")
        for name, some in [("all", self.hosts), ("large", self.hosts[:LARGE]), ("nodes", self.hosts[:NODES])]:
            (work / name).write_text("".join(f"{h}\n" for h in some))

    def end_masters(self, config):
        for host in self.hosts:
            subprocess.run(["ssh", "-F", str(config), "-O", "exit", host], capture_output=True)

    def end(self):
        self.server.stdin.close()
        self.server.wait()


def by_host(out, separator=b": "):
    """Lines of `host: text`, put together again."""
    parts = {}
    for line in out.splitlines(keepends=True):
        host, _, text = line.partition(separator)
        parts.setdefault(host.decode(), []).append(text)
    return {host: b"".join(lines) for host, lines in parts.items()}


def same(tool, parts, count, expected):
    good = sum(1 for text in parts.values() if text.strip() == expected.strip())
    if good != count:
        print(f"  {tool}: {good} of {count} answers are as they were sent", file=sys.stderr)
    return good == count


class Ssh:
    """pdsh and clush: one ssh a host; warm through ControlPersist."""

    def __init__(self, name, site):
        self.name, self.site = name, site

    def words(self, config, hosts, command):
        work = self.site.work
        if self.name == "pdsh":
            return ["pdsh", "-R", "ssh", "-f", "200", "-w", f"^{work / hosts}", command], {"PDSH_SSH_ARGS_APPEND": f"-F {config}"}
        return [self.site.clush, "-f", "200", "--hostfile", work / hosts, "-o", f"-F {config}", "-S", command], {}

    def run(self, config, hosts, command, **options):
        words, env = self.words(config, hosts, command)
        return Run(words, env, **options)

    def cold(self, **options):
        run = self.run(self.site.cold, "all", "echo ok", **options)
        if not same(self.name, by_host(run.out), len(self.site.hosts), b"ok"):
            raise RuntimeError("wrong answers")
        return run

    def warm(self, figures):
        self.run(self.site.warm, "all", "echo ok")
        run = self.run(self.site.warm, "all", "echo ok")
        figures.note(self.name, "warm", run.wall)
        run = self.run(self.site.warm, "large", f"cat {self.site.site['blob']}")
        exact = same(self.name, by_host(run.out), min(LARGE, len(self.site.hosts)), self.site.blob)
        figures.note(self.name, "large" if exact else "large, NOT as sent", run.wall)
        self.site.end_masters(self.site.warm)


class Ansible:
    name = "ansible-core"

    def __init__(self, site, program):
        self.site, self.program = site, program
        for name in ["all", "large", "nodes"]:
            hosts = (site.work / name).read_text()
            (site.work / f"{name}.ini").write_text("[all]\n" + hosts)

    def run(self, config, hosts, command, control=False, **options):
        work = self.site.work
        args = f"-F {config}"
        env = {"ANSIBLE_HOST_KEY_CHECKING": "True", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal", "ANSIBLE_NOCOLOR": "1",
               "ANSIBLE_PYTHON_INTERPRETER": "auto_silent", "ANSIBLE_LOCAL_TEMP": str(work / "tmp"), "ANSIBLE_SSH_ARGS": args,
               "ANSIBLE_HOME": str(work / "home"), "LC_ALL": "C.UTF-8"}
        words = [self.program, "-i", work / f"{hosts}.ini", "all", "-f", "200", "-m", "raw", "-a", command]
        return Run(words, env, cwd=work, **options)

    def answers(self, run):
        """The minimal callback: `host | CHANGED | rc=0 >>`, then the text."""
        parts, host = {}, None
        for line in run.out.splitlines(keepends=True):
            if b" | CHANGED | rc=0 >>" in line:
                host = line.split(b" ", 1)[0].decode()
            elif host:
                parts.setdefault(host, []).append(line)
        return {host: b"".join(lines) for host, lines in parts.items()}

    def cold(self, **options):
        run = self.run(self.site.cold, "all", "echo ok", **options)
        if not same(self.name, self.answers(run), len(self.site.hosts), b"ok"):
            raise RuntimeError("wrong answers")
        return run

    def warm(self, figures):
        self.run(self.site.warm, "all", "echo ok")
        run = self.run(self.site.warm, "all", "echo ok")
        figures.note(self.name, "warm", run.wall)
        run = self.run(self.site.warm, "large", f"cat {self.site.site['blob']}")
        exact = same(self.name, self.answers(run), min(LARGE, len(self.site.hosts)), self.site.blob)
        figures.note(self.name, "large" if exact else "large, NOT as sent", run.wall)
        self.site.end_masters(self.site.warm)

    def checks(self, figures):
        """A playbook of forty raw tasks, each a PowerShell; connections stay (ControlPersist), as they do by default."""
        import base64
        work = self.site.work
        encoded = base64.b64encode(CHECK.encode("utf-16-le")).decode()
        command = f"powershell.exe -NoProfile -NonInteractive -EncodedCommand {encoded}"
        tasks = "".join(f"    - ansible.builtin.raw: {command}\n" for _ in range(CHECKS))
        (work / "checks.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
        env = {"ANSIBLE_SSH_ARGS": f"-F {self.site.warm}", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(work / "tmp"),
               "ANSIBLE_HOME": str(work / "home"), "LC_ALL": "C.UTF-8"}
        playbook = pathlib.Path(self.program).with_name("ansible-playbook")
        run = Run([playbook, "-i", work / "nodes.ini", "-f", "16", work / "checks.yml"], env, cwd=work)
        if run.out.count(f"ok={CHECKS} ".encode()) != NODES:
            raise RuntimeError("not every check ran: " + run.out.decode()[-600:])
        figures.note(self.name, "checks", run.wall)
        self.site.end_masters(self.site.warm)


class Asyncssh:
    name = "asyncssh"

    def __init__(self, site, python):
        self.site, self.python = site, python
        (site.work / "with_asyncssh.py").write_text(ASYNCSSH)

    def run(self, what, **options):
        return Run([self.python, self.site.work / "with_asyncssh.py", self.site.folder / "site.json", what], **options)

    def cold(self, **options):
        run = self.run("cold", **options)
        run.inside = json.loads(run.out)["cold"]
        return run

    def warm(self, figures):
        told = json.loads(self.run("all").out)
        figures.note(self.name, "warm", told["warm"])
        figures.note(self.name, "large", told["large"])


class Nodelift:
    name = "nodelift"

    def __init__(self, site):
        self.site = site

    def run(self, what, **options):
        run = Run([self.site.bench, "measure", what, self.site.folder], **options)
        run.told = json.loads(run.out)
        return run

    def cold(self, **options):
        run = self.run("cold", **options)
        run.inside = run.told["cold_s"]
        return run

    def warm(self, figures):
        told = self.run("plain").told
        figures.note(self.name, "warm", told["warm_s"])
        figures.note(self.name, "large", told["large_s"])
        told = self.run("worker").told
        figures.note("nodelift, worker", "inside", told["cold_s"])
        figures.note("nodelift, worker", "warm", told["warm_s"])

    def checks(self, figures):
        run = self.run("checks")
        figures.note(self.name, "checks", run.told["checks_s"])
        figures.note(self.name, "one PowerShell start", run.told["powershell_start_s"])


def tools(site, venv, missing):
    """What is there, and what is not."""
    have = [Nodelift(site)]
    try:
        if not (venv / "bin/python").exists():
            sh(sys.executable, "-m", "venv", venv)
        sh(venv / "bin/pip", "install", "-q", "asyncssh", "clustershell", "ansible-core")
    except subprocess.CalledProcessError as e:
        print(e.stderr[-400:], file=sys.stderr)
    if subprocess.run([venv / "bin/python", "-c", "import asyncssh"], capture_output=True).returncode == 0:
        have.append(Asyncssh(site, venv / "bin/python"))
    else:
        missing.append("asyncssh")
    if not shutil.which("pdsh") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run("apt-get install -y -q pdsh || (apt-get update -q && apt-get install -y -q pdsh)", shell=True,
                       capture_output=True)
    have.append(Ssh("pdsh", site)) if shutil.which("pdsh") else missing.append("pdsh")
    site.clush = venv / "bin/clush"
    have.append(Ssh("clush", site)) if site.clush.exists() else missing.append("clush")
    ansible = venv / "bin/ansible"
    have.append(Ansible(site, ansible)) if ansible.exists() else missing.append("ansible-core")
    return have


ROWS = [
    ("cold", "cold `echo ok`: the whole process, s"),
    ("inside", "  inside: first connect to last answer, s"),
    ("cpu", "  processor, ms a host, with what it starts"),
    ("memory", "  peak memory, MiB, all its processes (PSS)"),
    ("processes", "  most processes at once"),
    ("warm", "warm second command, s"),
    ("large", "50 x 1 MB, warm, compared with what was sent, s"),
    ("large, NOT as sent", "50 x 1 MB, warm, NOT as it was sent, s"),
    ("checks", "16 nodes x 40 checks through PowerShell, s"),
    ("one PowerShell start", "one PowerShell start, s"),
]


def table(figures, order):
    print(f"{'median (min)':<52}" + "".join(f"{tool:>20}" for tool in order))
    for key, words in ROWS:
        if not any((key, tool) in figures.all for tool in order):
            continue
        cells = []
        for tool in order:
            values = figures.all.get((key, tool))
            cells.append(f"{statistics.median(values):.3f} ({min(values):.3f})" if values else "-")
        print(f"{words:<52}" + "".join(f"{c:>20}" for c in cells))


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--hosts", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--venv", type=pathlib.Path)
    options.add_argument("--json", type=pathlib.Path)
    options.add_argument("--bench", help="the built benchmark, else cargo builds it")
    options = options.parse_args()
    bench = options.bench
    if not bench:
        built = sh("cargo", "bench", "--locked", "--bench", "transport", "--no-run", "--message-format", "json", cwd=HERE.parent)
        bench = next(m["executable"] for m in map(json.loads, built.splitlines())
                     if m.get("executable") and m["target"]["name"] == "transport")
    work = pathlib.Path(tempfile.mkdtemp(prefix="compare-"))
    site, missing, figures, failed = Site(bench, options.hosts, work), [], Figures(), {}
    try:
        have = tools(site, options.venv or work / "venv", missing)
        load = os.getloadavg()[0]

        def attempt(tool, step, what):
            try:
                step()
            except (RuntimeError, KeyError, ValueError) as e:
                failed.setdefault(f"{tool.name}, {what}", str(e)[-300:])

        def cold(tool):
            run = tool.cold()
            figures.note(tool.name, "cold", run.wall)
            figures.note(tool.name, "cpu", run.cpu * 1000 / options.hosts)
            if hasattr(run, "inside"):
                figures.note(tool.name, "inside", run.inside)

        def watched(tool):
            run = tool.cold(watch=True)
            figures.note(tool.name, "memory", run.peak)
            figures.note(tool.name, "processes", run.processes)

        for number in range(options.rounds):
            turn = have[number % len(have):] + have[:number % len(have)]
            for tool in turn:
                attempt(tool, lambda: cold(tool), "cold")
            for tool in turn:
                attempt(tool, lambda: tool.warm(figures), "warm")
            for tool in turn:
                if hasattr(tool, "checks") and (tool.name == "nodelift" or number < 3):
                    attempt(tool, lambda: tool.checks(figures), "checks")
            print(f"round {number + 1} of {options.rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        # Looking at memory costs time: apart from the rounds whose time is taken.
        for tool in have:
            attempt(tool, lambda: watched(tool), "memory")
    finally:
        site.end()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{options.hosts} hosts: addresses on loopback, {site.site['servers']} sshd; PowerShell: {site.site['engine']}; "
          f"{options.rounds} rounds; {os.cpu_count()} processors, shared with the servers; load before {load:.1f}, after {os.getloadavg()[0]:.1f}")
    table(figures, [t.name for t in have[:1]] + ["nodelift, worker"] + [t.name for t in have[1:]])
    for tool in missing:
        print(f"missing, not measured: {tool}")
    for what, why in failed.items():
        print(f"failed: {what}: {why}")
    result = {"hosts": options.hosts, "engine": site.site["engine"], "load": load, "missing": missing, "failed": failed,
              "figures": [{"what": what, "tool": tool, "median": statistics.median(v), "min": min(v), "all": v}
                          for (what, tool), v in figures.all.items()]}
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    else:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
