#!/usr/bin/env python3
"""Makes subjects.txt: certificates with hostile subjects, and how others write those subjects.

    python3 make_subjects.py > subjects.txt

Needs Python 3.9, openssl (3.0 made the committed file) and nginx (1.22.1 did). The certificates are
encoded here, byte by byte, because no tool writes subjects like these. openssl writes each subject in
the form of RFC 2253, with and without the escapes of what is not ASCII, and in its old form; nginx
is given the certificate in a handshake and writes $ssl_client_s_dn, $ssl_client_verify and
$ssl_client_escaped_cert into header fields, which are read from a socket. Loopback only.
"""

import base64
import http.client
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

OIDS = {
    "CN": (2, 5, 4, 3),
    "C": (2, 5, 4, 6),
    "O": (2, 5, 4, 10),
    "OU": (2, 5, 4, 11),
    "serialNumber": (2, 5, 4, 5),
    "DC": (0, 9, 2342, 19200300, 100, 1, 25),
    "emailAddress": (1, 2, 840, 113549, 1, 9, 1),
    "unknown": (1, 3, 6, 1, 4, 1, 99999, 1),
}
UTF8, PRINTABLE, IA5, TELETEX, BMP, BITS = 0x0C, 0x13, 0x16, 0x14, 0x1E, 0x03

# Each subject is a list of sets of (type, tag, bytes), the least specific first, as DER has it.
SUBJECTS = {
    "plain": [[("C", PRINTABLE, b"US")], [("O", UTF8, b"Example")], [("CN", UTF8, b"payments")]],
    "empty": [],
    "comma-in-the-organisation": [[("O", UTF8, b"x,CN=admin")], [("CN", UTF8, b"mallory")]],
    "organisation-pretends-a-name": [[("O", UTF8, b"x,CN=admin")]],
    "organisation-ends-in-a-backslash": [[("O", UTF8, b"x\\")], [("CN", UTF8, b"admin")]],
    "slash-in-the-organisation": [[("O", UTF8, b"x/CN=admin")]],
    "plus-in-the-organisation": [[("O", UTF8, b"x+CN=admin")], [("CN", UTF8, b"mallory")]],
    "two-names": [[("CN", UTF8, b"admin")], [("CN", UTF8, b"mallory")]],
    "two-names-in-one-set": [[("CN", UTF8, b"admin"), ("CN", UTF8, b"mallory")]],
    "name-and-number-in-one-set": [
        [("O", UTF8, b"Example")],
        [("CN", UTF8, b"payments"), ("serialNumber", PRINTABLE, b"42")],
    ],
    "every-special-character": [[("CN", UTF8, b'a,b+c"d\\e<f>g;h=i#j/k')]],
    "ends-in-a-backslash": [[("O", UTF8, b"x")], [("CN", UTF8, b"admin\\")]],
    "only-quotes": [[("CN", UTF8, b'""')]],
    "sharp-at-the-beginning": [[("CN", UTF8, b"#0C05")]],
    "spaces-at-both-ends": [[("CN", UTF8, b"  admin  ")]],
    "a-single-space": [[("CN", UTF8, b" ")]],
    "newline-and-tab": [[("CN", UTF8, b"admin\r\nX-Role: admin\t")]],
    "nul-in-the-name": [[("CN", UTF8, b"admin\x00.mallory")]],
    "not-ascii": [[("O", UTF8, "Zoë & Söhne".encode())], [("CN", UTF8, "Ωmega 🦀".encode())]],
    "turns-the-direction": [[("CN", UTF8, "\u202enimda".encode())]],
    "wide-characters": [[("CN", BMP, "payments".encode("utf-16-be"))]],
    "teletex": [[("CN", TELETEX, b"Zo\xeb")]],
    "bits-for-a-name": [[("CN", BITS, b"\x00admin")]],
    "unknown-type": [[("unknown", UTF8, b"CN=admin,")], [("CN", UTF8, b"payments")]],
    "mail-and-domain": [
        [("DC", IA5, b"example")],
        [("DC", IA5, b"com")],
        [("emailAddress", IA5, b"CN=admin@example.com")],
        [("CN", PRINTABLE, b"payments")],
    ],
    "empty-values": [[("O", UTF8, b"")], [("OU", UTF8, b"")], [("CN", UTF8, b"payments")]],
    "escapes-as-text": [[("CN", UTF8, b"\\2C\\,\\x41")]],
    "envoy-separators": [[("CN", UTF8, b'a";URI=spiffe://prod.example/admin;DNS="b')]],
}


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def oid(numbers):
    out = bytes([numbers[0] * 40 + numbers[1]])
    for number in numbers[2:]:
        chunk = [number & 0x7F]
        while number := number >> 7:
            chunk.append(0x80 | number & 0x7F)
        out += bytes(reversed(chunk))
    return der(0x06, out)


def name(subject):
    sets = []
    for attributes in subject:
        encoded = [der(0x30, oid(OIDS[kind]), der(tag, value)) for kind, tag, value in attributes]
        sets.append(der(0x31, *sorted(encoded)))
    return der(0x30, *sets)


def openssl(*args, **kwargs):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, **kwargs).stdout


def certificate(subject, key, public, serial):
    ecdsa_sha256 = der(0x30, oid((1, 2, 840, 10045, 4, 3, 2)))
    to_sign = der(
        0x30,
        der(0xA0, der(0x02, b"\x02")),
        der(0x02, bytes([serial])),
        ecdsa_sha256,
        name([[("CN", UTF8, b"issuer")]]),
        der(0x30, der(0x17, b"250101000000Z"), der(0x17, b"491231235959Z")),
        name(subject),
        public,
    )
    signature = openssl("dgst", "-sha256", "-sign", key, input=to_sign)
    return der(0x30, to_sign, ecdsa_sha256, der(0x03, b"\x00" + signature))


def serve_once(listener, seen):
    """Takes requests from nginx and keeps their header fields."""
    while True:
        connection, _ = listener.accept()
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        seen.append(data)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def with_nginx(folder, key, cases):
    """What nginx writes for each certificate."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []
    threading.Thread(target=serve_once, args=(listener, seen), daemon=True).start()
    port = free_port()
    server = os.path.join(folder, "server.pem")
    openssl("req", "-x509", "-key", key, "-subj", "/CN=localhost", "-days", "2", "-out", server)
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as file:
        file.write(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {server}; ssl_certificate_key {key};
    ssl_verify_client optional_no_ca;
    location / {{
      proxy_pass http://127.0.0.1:{listener.getsockname()[1]};
      proxy_set_header x-ssl-client-subject $ssl_client_s_dn;
      proxy_set_header x-ssl-client-verify $ssl_client_verify;
      proxy_set_header x-ssl-client-cert $ssl_client_escaped_cert;
    }}
  }}
}}""")
    nginx = subprocess.Popen(["nginx", "-p", folder, "-c", config], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        for path in cases:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.load_cert_chain(path, key)
            client = http.client.HTTPSConnection("127.0.0.1", port, context=context)
            client.request("GET", "/")
            assert client.getresponse().status == 200
            client.close()
            fields = {}
            for line in seen[-1].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
                field, _, value = line.partition(b": ")
                fields[field.decode().lower()] = value.decode("latin-1")
            yield fields
    finally:
        nginx.terminate()
        nginx.wait()


def main():
    with tempfile.TemporaryDirectory() as folder:
        key = os.path.join(folder, "key.pem")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        public = openssl("ec", "-in", key, "-pubout", "-outform", "DER")
        paths, encoded = [], []
        for serial, subject in enumerate(SUBJECTS.values(), 1):
            bytes_ = certificate(subject, key, public, serial)
            path = os.path.join(folder, f"{serial}.pem")
            with open(path, "w") as file:
                file.write("-----BEGIN CERTIFICATE-----\n")
                file.write(base64.encodebytes(bytes_).decode())
                file.write("-----END CERTIFICATE-----\n")
            paths.append(path)
            encoded.append(bytes_)
        print("# Made by make_subjects.py with", openssl("version").decode().split(" (")[0].strip(),
              "and", subprocess.run(["nginx", "-v"], capture_output=True).stderr.decode().split(": ")[1].strip())
        for case, path, bytes_, nginx in zip(SUBJECTS, paths, encoded, with_nginx(folder, key, paths)):
            def subject(form):
                out = openssl("x509", "-in", path, "-noout", "-subject", "-nameopt", form)
                return out.decode("latin-1").removeprefix("subject=").removesuffix("\n")
            print()
            print("case:", case)
            print("der:", base64.b64encode(bytes_).decode())
            print("rfc2253:", subject("RFC2253").encode("latin-1").decode())
            print("rfc2253-utf8:", subject("RFC2253,-esc_msb").encode("latin-1").decode())
            print("oneline:", subject("compat").encode("latin-1").decode())
            print("nginx-subject:", nginx.get("x-ssl-client-subject", "-"))
            print("nginx-verify:", nginx["x-ssl-client-verify"])
            print("nginx-cert:", nginx["x-ssl-client-cert"])


if __name__ == "__main__":
    sys.exit(main())
