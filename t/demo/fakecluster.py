"""The cluster of the demo where none is given: the fake API server."""

import os

import apiserver
import tokens

NAMESPACE = 'my-namespace-a'
ACCOUNT = 'builder'


class FakeCluster:
    """Pods of one namespace, and what a gateway has to know.

    RealCluster has the same members.
    """

    namespace = NAMESPACE
    account = ACCOUNT
    issuer = tokens.ISSUER
    leaves = ''
    reach = {}

    def __init__(self, directory):
        self.dir = directory
        self.api = apiserver.ApiServer(directory)
        self.url = self.api.url
        self.ca = os.path.join(directory, 'ca.crt')

    def describe(self):
        """Say what cluster it is."""
        return f'the API server is {self.url}, a fake one on this machine'

    def consent(self, yes):
        """Nobody has to be asked."""

    def prepare(self):
        """Make what the story needs: mypod1 and the reviewer are there."""

    def pod(self, name):
        """Make a pod."""
        self.api.pod(NAMESPACE, name, ACCOUNT, 'node-1')

    def delete(self, name):
        """Delete a pod."""
        self.api.delete('pod', NAMESPACE, name)

    def uid(self, pod):
        """Return the uid of a pod."""
        return self.api.uids()[f'pod/{NAMESPACE}/{pod}']

    def token(self, pod, ttl=3600):
        """Return a token of a pod."""
        return self.api.issue(NAMESPACE, pod=pod, ttl=ttl)

    def was_asked(self):
        """Say whether a TokenReview was asked for; None: nobody knows."""
        return any('tokenreviews' in record.get('path', '')
                   for record in self.api.records())

    def cut(self):
        """Be out of reach; return what to say, and another host or None."""
        self.api.unlisten()
        self.api.drop()
        return 'the API server is stopped', None

    def mend(self):
        """Be within reach again."""
        self.api.listen()

    def close(self):
        """End."""
        self.api.close()
