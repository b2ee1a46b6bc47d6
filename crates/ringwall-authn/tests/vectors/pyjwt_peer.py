"""Signs and verifies with PyJWT, for the interoperability test of ringwall-authn.

Reads one JSON object from standard input and writes one to standard output. In: `claims`, the
claims to sign; `issuer`, `audience`; `secret`, base64url, for the HMAC algorithms; `tokens`, a
list of {alg, jwk, token} to verify. Out: `tokens`, signed here, and `verified`, the subjects.
"""

import json
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_decode


def public_jwk(algorithm, key, alg):
    jwk = algorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": "peer", "alg": alg, "use": "sig"}


def signing_keys(secret):
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for alg in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]:
        yield alg, rsa_key, public_jwk(RSAAlgorithm, rsa_key, alg)
    for alg, curve in [("ES256", ec.SECP256R1()), ("ES384", ec.SECP384R1())]:
        key = ec.generate_private_key(curve)
        yield alg, key, public_jwk(ECAlgorithm, key, alg)
    key = ed25519.Ed25519PrivateKey.generate()
    yield "EdDSA", key, public_jwk(OKPAlgorithm, key, "EdDSA")
    for alg in ["HS256", "HS384", "HS512"]:
        yield alg, secret, None


def main():
    request = json.load(sys.stdin)
    secret = base64url_decode(request["secret"])
    signed = []
    for alg, key, jwk in signing_keys(secret):
        token = jwt.encode(request["claims"], key, algorithm=alg, headers={"kid": "peer"})
        signed.append({"alg": alg, "jwk": jwk, "token": token})
    verified = []
    for item in request["tokens"]:
        key = secret if item["jwk"] is None else jwt.PyJWK(item["jwk"], algorithm=item["alg"]).key
        claims = jwt.decode(
            item["token"],
            key,
            algorithms=[item["alg"]],
            issuer=request["issuer"],
            audience=request["audience"],
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
        )
        verified.append({"alg": item["alg"], "sub": claims["sub"]})
    json.dump({"version": jwt.__version__, "tokens": signed, "verified": verified}, sys.stdout)


main()
