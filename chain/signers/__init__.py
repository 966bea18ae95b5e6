"""Keys behind one interface. A private key is never in a log, an argument list or an exception."""

from chain.signers.base import Signer, TypedDataSigner
from chain.signers.keyless import KeylessSigner
from chain.signers.local import LocalSigner
from chain.signers.open import Secrets, open_signer

__all__ = ["KeylessSigner", "LocalSigner", "Secrets", "Signer", "TypedDataSigner", "open_signer"]
