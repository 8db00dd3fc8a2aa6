"""A Dockerfile, carried out without a daemon.

Each stage is a directory, in which RUN is a chroot in namespaces of its own;
that needs root.  What a Dockerfile of ours has is understood, anything else
is an error.  There is no cache, and nothing is isolated but processes and
mounts: the Dockerfile is one's own.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile

import tap

PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
IGNORED = ('EXPOSE', 'HEALTHCHECK')


class Failed(Exception):
    """A step that ended with an error; its text is what it said."""


def instructions(text):
    """Yield name and argument of each instruction."""
    text = re.sub(r'^[ \t]*#.*\n', '', text, flags=re.M)
    text = re.sub(r'\\\n', '\0', text)
    for line in text.split('\n'):
        if line.strip():
            name, _, argument = line.strip().partition(' ')
            yield name, argument.replace('\0', '\\\n').strip()


class Stage:
    """A directory, and what its next step is run with."""

    def __init__(self, root, like=None):
        self.root = root
        self.env = dict(like.env) if like else {'PATH': PATH}
        self.args = {}
        self.workdir = like.workdir if like else '/'
        self.user = like.user if like else '0'
        self.labels = dict(like.labels) if like else {}
        self.command = list(like.command) if like else []
        self.signal = like.signal if like else None

    def path(self, name):
        """Return where a path of the stage's is."""
        return os.path.join(self.root, os.path.join(
            self.workdir, name).lstrip('/'))

    def expand(self, text):
        """Replace variables, as outside of RUN."""
        return re.sub(r'\$\{?(\w+)\}?', lambda match: {
            **self.args, **self.env}.get(match.group(1), ''), text)

    def chroot(self, command, user=None):
        """Run a command in it; return its output, or raise Failed."""
        user, _, group = (user or self.user).partition(':')
        inner = ('mount -t proc proc /proc && cd "$0" && exec setpriv '
                 f'--reuid {user} --regid {group or user} --clear-groups '
                 '"$@"')
        with tempfile.TemporaryFile('w+', encoding='utf-8') as said:
            # /dev/stdout belongs to the user, as in a container
            os.fchown(said.fileno(), int(user), int(group or user))
            done = subprocess.run(
                ['unshare', '--mount', '--pid', '--fork', '--kill-child',
                 'chroot', self.root, '/bin/sh', '-c', inner, self.workdir,
                 *command], check=False, stdin=subprocess.DEVNULL,
                stdout=said, stderr=subprocess.STDOUT,
                env={'HOME': '/root', **self.env, **self.args})
            said.seek(0)
            text = said.read()
        if done.returncode:
            raise Failed(text)
        return text


class Build:
    """Carry out a Dockerfile: base is the root directory that FROM means."""

    def __init__(self, context, base, work, **arguments):
        self.context = context
        self.base = base
        self.work = work
        self.given = arguments
        self.stages = {}
        self.order = []
        self.globals = {}
        self.stage = None

    def run(self, text, note=lambda step: None):
        """Carry out all steps; return the last stage."""
        for name, argument in instructions(text):
            note(f'{name} {argument.splitlines()[0][:60]}')
            if name in IGNORED:
                continue
            method = getattr(self, f'_{name.lower()}', None)
            if method is None:
                raise Failed(f'{name} is not known here')
            method(argument)
        return self.stage

    def _arg(self, argument):
        name, _, value = argument.partition('=')
        value = self.given.get(name, self.globals.get(
            name, '') if '=' not in argument else value)
        if self.stage is None:
            self.globals[name] = value
        else:
            self.stage.args[name] = value

    def _from(self, argument):
        image, name = re.fullmatch(r'(\S+)(?: AS (\S+))?', argument).groups()
        image = re.sub(r'\$\{?(\w+)\}?',
                       lambda match: self.globals[match.group(1)], image)
        like = self.stages.get(image)
        root = os.path.join(self.work, f'stage-{len(self.order)}')
        copy = subprocess.run(['cp', '-a', like.root if like else self.base,
                               root], check=False)
        if copy.returncode:
            raise Failed(f'{image} cannot be copied')
        self.stage = Stage(root, like)
        self.order.append(self.stage)
        self.stages[name or str(len(self.order) - 1)] = self.stage

    def _run(self, argument):
        self.stage.chroot(['/bin/sh', '-c', argument])

    def _copy(self, argument):
        words = shlex.split(self.stage.expand(argument))
        source = self.context
        if words[0].startswith('--from='):
            source = self.stages[words.pop(0).partition('=')[2]].root
        *names, target = words
        into = self.stage.path(target)
        for name in names:
            origin = os.path.join(source, name.lstrip('/'))
            if not os.path.lexists(origin):
                raise Failed(f'COPY: there is no {name}')
            if os.path.isdir(origin):
                shutil.copytree(origin, into, symlinks=True,
                                dirs_exist_ok=True)
                continue
            place = os.path.join(into, os.path.basename(name)) \
                if target.endswith('/') or len(names) > 1 else into
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copy2(origin, place)

    def _workdir(self, argument):
        self.stage.workdir = os.path.join(self.stage.workdir,
                                          self.stage.expand(argument))
        os.makedirs(self.stage.path(''), exist_ok=True)

    def _user(self, argument):
        self.stage.user = self.stage.expand(argument)

    def _label(self, argument):
        for word in shlex.split(self.stage.expand(argument.replace(
                '\\\n', ' '))):
            name, _, value = word.partition('=')
            self.stage.labels[name] = value

    def _env(self, argument):
        for word in shlex.split(self.stage.expand(argument)):
            name, _, value = word.partition('=')
            self.stage.env[name] = value

    def _stopsignal(self, argument):
        self.stage.signal = argument


def possible():
    """Return why nothing can be carried out here, or None."""
    if os.geteuid() != 0:
        return 'needs root'
    for name in 'unshare', 'chroot', 'setpriv':
        if shutil.which(name) is None:
            return f'needs {name}'
    done = subprocess.run(['unshare', '--mount', '--pid', '--fork', 'true'],
                          check=False, stderr=subprocess.DEVNULL,
                          timeout=tap.PATIENCE)
    return 'may not make namespaces' if done.returncode else None
