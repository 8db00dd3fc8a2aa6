"""The files for Prometheus, and its promtool."""

import os
import shutil
import subprocess

import nginx

try:
    import yaml
except ImportError:
    yaml = None

FOLDER = os.path.join(nginx.ROOT, 'conf-examples', 'monitoring')
RULES = os.path.join(FOLDER, 'alerts.yaml')
RUNBOOK = os.path.join(nginx.ROOT, 'docs', 'operations.md')
PREFIX = 'nginx_akl_k8s_'

NO_YAML = None if yaml else \
    'no YAML for Python; Debian has it in python3-yaml'
NO_PROMTOOL = None if shutil.which('promtool') else \
    'no promtool; Debian has it in the package prometheus'


def text_of(path):
    """Return the text of a file."""
    with open(path, encoding='utf-8') as file:
        return file.read()


def alerts():
    """Return the alert rules: name -> rule."""
    return {rule['alert']: rule
            for group in yaml.safe_load(text_of(RULES))['groups']
            for rule in group['rules']}


def promtool(*args, text=None):
    """Run promtool; return its code and all that it says."""
    done = subprocess.run(['promtool', *args], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.strip()
