#!/usr/bin/python3
"""akl-k8s inspect and doctor: what is revoked, and where that is kept."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

import cli  # noqa: E402
from akltest import CONFIG, Test  # noqa: E402
from minted import ISSUER, mint  # noqa: E402

USER = 'user root;\n' if os.geteuid() == 0 else ''
GUARDED = 'location = /revoke { akl_k8s_revoke; allow 10.0.0.5; deny all; }'

t = Test(need_module=True)


@t.shared
def cluster():
    """A cluster with one pod."""
    return t.cluster()


@t.own
def place():
    """A directory of a story's own."""
    path = os.path.join(t.dir, f'place-{time.monotonic_ns()}')
    os.makedirs(path, 0o755)
    return path


def lines(*names, until=900):
    """Return a file that revokes tokens of these jti."""
    return ''.join(json.dumps({'jti': name, 'until': int(time.time())
                               + until}) + '\n' for name in names)


def conf(cluster, place, files, locations='', user=USER):
    """Write an nginx.conf; return its path."""
    return t.write(os.path.join(place, 'nginx.conf'), f'''{user}
        events {{ }}
        http {{
            {files}
            {cluster.method()}
            {cluster.config(kind='P-256', token_issuer=ISSUER)}
            server {{ {locations} }}
        }}
    ''')


def doctor(path, *args):
    """Return exit code, and (outcome, text, cure) about revocations."""
    done = cli.run('doctor', '--config', path, '--json', *args)
    return done.code, [(one['outcome'], one['text'], one.get('cure', ''))
                       for one in done.json() if 'config' not in one]


def verdict(path, token):
    """Return what inspect says of a minted token: reason, and its steps."""
    done = cli.run('inspect', '--config', path, '--json', stdin=token)
    config, = done.json()['configs']
    return config['reason'], [step['text'] for step in config['steps']
                              if step['step'] == 'revoked']


@t.story
def a_token_that_a_file_revokes_is_told(cluster, place):
    listed = t.write(os.path.join(place, 'list'), lines('a'))
    t.write(os.path.join(place, 'journal'), lines('b') + '{"jti":"torn')
    path = conf(cluster, place, 'akl_k8s_revocations list;\n'
                'akl_k8s_revocations journal journal;')
    for name, reason, steps in (
            ('a', 'token_revoked', 1), ('b', 'token_revoked', 2),
            ('c', 'ok', 2)):
        got, said = verdict(path, mint(jti=name))
        t.is_((got, len(said)), (reason, steps), name)
    t.is_(verdict(path, mint(jti='a'))[1],
          [f'token_revoked: it stands in "{os.path.realpath(listed)}"'],
          'with the file')
    t.like(cli.run('inspect', '--config', path, stdin=mint(jti='a')).out,
           'try: log in again\n',
           'and what to do')
    t.write(os.path.join(place, 'list'), 'none\n')
    got, said = verdict(path, mint(jti='a'))
    t.is_(got, 'ok', 'a broken file says nothing')
    t.like(said[0], 'is no JSON object', 'and is told')


@t.story
def files_that_are_sound_are_told_with_their_number(cluster, place):
    t.write(os.path.join(place, 'list'), lines('a', 'b') + lines(
        'over', until=-5))
    t.write(os.path.join(place, 'journal'), lines('c') + '\0' * 100)
    path = conf(cluster, place, 'akl_k8s_revocations list;\n'
                'akl_k8s_revocations journal journal=1m;', GUARDED)
    code, found = doctor(path)
    t.is_((code, [one[0] for one in found]), (0, ['ok', 'ok']), 'both')
    t.like(found[0][1], 'list", 2 entries that count', 'the file')
    t.like(found[1][1], 'journal", 1 entries that count, written by',
           'the journal')
    t.is_(doctor(path, CONFIG)[1], [], 'not where a config is asked for')
    words = cli.run('doctor', '--config', path).out
    t.like(words, r'\nthe gateway\nok    revoked   "', 'in words')


@t.story
def a_file_that_nginx_would_not_read_is_found(cluster, place):
    path = conf(cluster, place, 'akl_k8s_revocations list;')
    for text, said in (
            (None, 'cannot be read: No such file'),
            (lines('a') + '{"jti":5,"until":1}\n',
             'line 2 of ".*/list" has a "jti" or "sub" that is no string'),
            (lines('a') + 'torn', 'line 2 of ".*/list" is no JSON object')):
        if text is not None:
            t.write(os.path.join(place, 'list'), text)
        code, found = doctor(path)
        t.is_((code, found[0][0]), (1, 'failed'), said)
        t.like(found[0][1], said, 'in words')


@t.story
def a_journal_that_workers_cannot_write_anew_is_found(cluster, place):
    inner = os.path.join(place, 'inner')
    path = conf(cluster, place, 'akl_k8s_revocations inner/journal journal;',
                user='user nobody;\n' if USER else '')
    code, found = doctor(path)
    t.is_((code, found[0][0]), (1, 'failed'), 'without its directory')
    t.like(found[0][2], 'install -d', 'with the way out')
    os.makedirs(inner, 0o755)
    if USER:
        os.chmod(t.dir, 0o755)
        code, found = doctor(path)
        t.is_((code, found[0][0]), (1, 'failed'), 'of somebody else')
        t.like(found[0][1], r'cannot be written to by nginx\'s workers '
               r'\(nobody\)', 'in words')
        t.like(found[0][2], 'chown nobody ', 'with the way out')
        subprocess.run(found[0][2].split(), check=True)
    else:
        os.chmod(inner, 0o500)
        t.is_(doctor(path)[0], 1, 'that is read-only')
        os.chmod(inner, 0o700)
    t.is_(doctor(path)[0], 0, 'and when that was done')


@t.story
def locations_that_ask_nobody_are_told(cluster, place):
    t.write(os.path.join(place, 'list'), '')
    files = 'akl_k8s_revocations journal journal;'
    for locations, said in (
            ('location = /r { akl_k8s_revoke; }', 'may revoke any token'),
            ('location = /i { akl_k8s_introspect k8s-conf; }',
             'learns what tokens say')):
        code, found = doctor(conf(cluster, place, files, locations))
        t.is_((code, found[-1][0]), (0, 'warning'), said)
        t.like(found[-1][1], said, 'in words')
    for locations in (
            GUARDED, 'location = /r { akl_k8s_revoke self; }',
            'location = /r { akl_k8s_revoke vault; }',
            'location = /i { akl_k8s_introspect vault; }',
            'allow 127.0.0.1; deny all; location /r { akl_k8s_revoke; }',
            'location /i { akl_k8s_guard k8s-conf; '
            'akl_k8s_introspect k8s-conf; }'):
        code, found = doctor(conf(cluster, place, files, locations))
        t.is_([one[0] for one in found], ['ok'], locations)


@t.story
def an_auth_config_that_is_none_is_found(cluster, place):
    code, found = doctor(conf(
        cluster, place, '', 'deny all; location /i { akl_k8s_introspect '
        'k8s-conf other; }'))
    t.is_((code, found[0][0]), (1, 'failed'), 'akl_k8s_introspect other')
    t.like(found[0][1], 'names "other"', 'in words')


@t.story
def revocations_in_memory_are_told(cluster, place):
    for locations in GUARDED, 'location = /r { akl_k8s_revoke self; }':
        code, found = doctor(conf(cluster, place, '', locations))
        t.is_((code, found[0][0]), (0, 'warning'), locations)
        t.like(found[0][1], 'kept in memory, and ends with a restart',
               'in words')
        t.like(found[0][2], '^akl_k8s_revocations .* journal;$',
               'with the way out')


t.tell()
