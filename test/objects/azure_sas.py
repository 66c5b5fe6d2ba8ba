# Signs what it is asked to, as Microsoft's library does: one query string a line of the answer.
import json
import sys

from azure.storage.blob import UserDelegationKey
from azure.storage.filedatalake import generate_directory_sas

answers = []
for asked in json.load(sys.stdin):
    credential = asked["key"]
    if isinstance(credential, dict):
        key = UserDelegationKey()
        names = {"skoid": "oid", "sktid": "tid", "skt": "start", "ske": "expiry", "sks": "service", "skv": "version"}
        for name, field in names.items():
            setattr(key, f"signed_{field}", credential[name])
        key.value = credential["value"]
        credential = key
    sas = generate_directory_sas(
        asked["account"],
        asked["container"],
        asked["directory"],
        credential,
        permission=asked["permissions"],
        expiry=asked["ends"],
        protocol="https",
    )
    answers.append(sas)
print(json.dumps(answers))
