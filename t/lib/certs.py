"""A certificate authority of a test's own."""

import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import tokens

DAY = datetime.timedelta(days=1)


def pem(cert):
    """Return a certificate as PEM text."""
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def subject(common_name, organizations=()):
    """Return an X.509 name; organizations are a client's groups."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)
             for name in organizations]
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
    return x509.Name(parts)


class Authority:
    """Signs server and client certificates."""

    def __init__(self, name='akl test CA', key=None, days=3650,
                 not_after=None):
        self.key = key or tokens.key('P-256', 'ca')
        self.name = subject(name)
        now = datetime.datetime.utcnow()
        end = not_after or now + days * DAY
        self.cert = (
            x509.CertificateBuilder().subject_name(self.name)
            .issuer_name(self.name).public_key(self.key.public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, end) - DAY).not_valid_after(end)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.KeyUsage(
                False, False, False, False, False, True, True, False,
                False), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                self.key.public), False)
            .sign(self.key.private, hashes.SHA256()))
        self.pem = pem(self.cert)

    def _issue(self, name, key, usage, sans, days, not_before):
        now = datetime.datetime.utcnow()
        end = now + days * DAY
        start = not_before or min(now, end) - DAY
        build = (
            x509.CertificateBuilder().subject_name(name)
            .issuer_name(self.name).public_key(key.public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start).not_valid_after(end)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.ExtendedKeyUsage([usage]), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public), False))
        if sans:
            build = build.add_extension(
                x509.SubjectAlternativeName(sans), False)
        return pem(build.sign(self.key.private, hashes.SHA256()))

    def server(self, names=('localhost', 'kubernetes.default.svc',
                            '127.0.0.1', '::1'),
               key=None, days=365, not_before=None,
               common_name='kube-apiserver'):
        """Return (certificate, key) PEM texts for DNS names and IPs.

        days < 0 makes an expired certificate.
        """
        key = key or tokens.key('P-256', 'server')
        sans = []
        for name in names:
            try:
                sans.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                sans.append(x509.DNSName(name))
        return self._issue(subject(common_name), key,
                           ExtendedKeyUsageOID.SERVER_AUTH, sans, days,
                           not_before), key.pem()

    def client(self, user, groups=(), key=None, days=365):
        """Return (certificate, key) PEM texts for a user and its groups."""
        key = key or tokens.key('P-256', 'client')
        return self._issue(subject(user, groups), key,
                           ExtendedKeyUsageOID.CLIENT_AUTH, None, days,
                           None), key.pem()


def write_pair(directory, name, pair):
    """Write NAME.crt and NAME.key; return both paths."""
    return tuple(tokens.write_file(os.path.join(directory, name + end), text)
                 for end, text in zip(('.crt', '.key'), pair))
