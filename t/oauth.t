#!/usr/bin/python3
"""Token exchange as OAuth has it, RFC 8693, on the wire."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'lib'))

from akltest import Test  # noqa: E402
from dialects import TYPE, Gateway, b64, basic  # noqa: E402

t = Test(need_module=True)


@t.shared
def gateway():
    """The gateway of all stories."""
    return Gateway(t)


@t.story
def a_token_is_exchanged_by_rfc_8693(gateway):
    body = gateway.exchange().json()
    t.contains(body, {'issued_token_type': TYPE + 'jwt',
                      'token_type': 'Bearer'}, 'the answer')
    t.ok(880 < body['expires_in'] <= 900, 'expires_in')
    t.is_(gateway.exchange(requested_token_type=TYPE + 'access_token').json()
          ['issued_token_type'], TYPE + 'access_token', 'as an access token')
    for kind in ('id_token', 'access_token'):
        t.is_(gateway.exchange(subject_token_type=TYPE + kind).status, 200,
              f'a subject token said to be of type {kind}')


@t.story
def a_token_exchange_has_its_config_from_the_location_where_it_can(gateway):
    t.is_(gateway.exchange('/pinned/token', client_id=None).status, 200,
          'no client id')
    t.is_(gateway.exchange('/pinned/token', client_id='my-app').status, 200,
          "the client's own word")
    t.is_(gateway.exchange('/pinned/token', client_id=None,
                           headers=basic('my-app')).status, 200,
          'the same by HTTP Basic')


@t.story
def a_client_id_may_come_by_http_basic(gateway):
    for name, headers in (
            ('with a secret', basic('k8s-conf')),
            ('without', basic('k8s-conf', '')),
            ('in lower case', basic('k8s-conf', scheme='basic'))):
        t.is_(gateway.exchange(client_id=None, headers=headers).status, 200,
              name)
        t.is_(gateway.exchange(headers=headers).status, 200,
              f'{name}, and the same in the form')
    t.is_(gateway.exchange(client_id=None, headers=basic('team/a')).status,
          200, 'form-encoded inside')
    t.is_(gateway.exchange(client_id=None, headers=basic('nobody')).json()
          ['reason'], 'config_unknown', 'an unknown config')


@t.story
def http_basic_that_names_no_client_or_another_is_an_invalid_request(
        gateway):
    for name, headers in (
            ('another than the form', basic('team/a')),
            ('no base64', {'Authorization': 'Basic !!!'}),
            ('nothing', {'Authorization': 'Basic '}),
            ('no colon', {'Authorization': 'Basic ' + b64('k8s-conf')}),
            ('broken encoding', {'Authorization':
                                 'Basic ' + b64('k8s%zz:s')})):
        answer = gateway.exchange(headers=headers)
        t.is_((answer.status, answer.json()['error']),
              (400, 'invalid_request'), name)


@t.story
def a_wrong_token_exchange_gets_its_error(gateway):
    for name, change, error in (
            ('another grant', {'grant_type': 'password'},
             'unsupported_grant_type'),
            ('no grant', {'grant_type': None}, 'invalid_request'),
            ('another subject', {'subject_token_type': TYPE + 'saml2'},
             'invalid_request'),
            ('another request', {'requested_token_type': TYPE + 'saml2'},
             'invalid_request'),
            ('no config', {'client_id': None}, 'invalid_request'),
            ('a parameter twice', {'extra': '&client_id=x'},
             'invalid_request'),
            ('broken encoding', {'extra': '&scope=%zz'}, 'invalid_request'),
            ('more targets than anybody needs', {'audience': ['api'] * 17},
             'invalid_request')):
        answer = gateway.exchange(**change)
        t.is_((answer.status, answer.json()['error']), (400, error), name)
    answer = gateway.exchange(subject_token=None)
    t.is_((answer.status, answer.json()['error'],
           answer.header('www-authenticate')), (400, 'invalid_grant', None),
          'no subject token')
    answer = gateway.exchange(client_id='nobody')
    t.is_((answer.status, answer.json()['error'],
           answer.header('www-authenticate')), (400, 'invalid_client', None),
          'an unknown client, who did not try HTTP Basic')
    answer = gateway.exchange(client_id=None, headers=basic('nobody'))
    t.is_((answer.status, answer.json()['error']), (401, 'invalid_client'),
          'an unknown client by HTTP Basic')
    t.is_(answer.header('www-authenticate'), 'Basic realm="akl_k8s"',
          'who tried it is told that it was no good')
    answer = gateway.exchange(client_id=None, headers=basic('k8s-conf'),
                              subject_token=None)
    t.is_((answer.status, answer.json()['error'],
           answer.header('www-authenticate')), (400, 'invalid_grant', None),
          'no subject token of a known one is a matter of the token')
    t.is_(gateway.exchange(kind='application/json').status, 415,
          'another content type')
    t.is_(gateway.get('/token').header('allow'), 'POST', 'another method')


@t.story
def a_token_exchange_for_another_target_is_an_invalid_target(gateway):
    for name, change in (
            ('another audience', {'audience': 'https://else'}),
            ('another resource', {'resource': 'https://else'}),
            ('another audience beside a good one',
             {'audience': ['api', 'https://else']}),
            ('another resource beside a good audience',
             {'audience': 'api', 'resource': ['api', 'https://else']}),
            ("not the config's audience",
             {'client_id': 'aud', 'audience': 'api'})):
        answer = gateway.exchange(**change)
        t.is_((answer.status, answer.json()['error']),
              (400, 'invalid_target'), name)


@t.story
def a_token_exchange_may_name_its_targets_as_often_as_it_likes(gateway):
    for name, change in (
            ("the pod token's audience", {'audience': 'api'}),
            ('several times', {'audience': ['api'] * 8,
                               'resource': ['api'] * 8}),
            ('none by name', {'audience': '', 'resource': ''}),
            ("the config's audience", {'client_id': 'aud',
                                       'audience': 'https://items'}),
            ("the config's audience, several times",
             {'client_id': 'aud', 'audience': ['https://items'] * 2,
              'resource': 'https://items'})):
        t.is_(gateway.exchange(**change).status, 200, name)


t.tell()
