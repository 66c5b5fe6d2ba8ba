// A master key that never leaves Amazon's key management service: data keys are wrapped and unwrapped there, a call for each, at the
// start and when one is made. https://docs.aws.amazon.com/kms/latest/APIReference/ (Encrypt, Decrypt). What a data key is for is the
// encryption context, which the service binds to it and writes into its own trail.
import { MillraceError } from '../../core/errors.ts'
import { send } from '../http.ts'
import type { MasterKey } from '../seal/master-key.ts'
import { awsCredentials, type CredentialParts } from './credentials.ts'
import { sign } from './sign.ts'

/** Region of a key's or an alias's ARN; undefined for other text. */
export const kmsRegion = (arn: string): string | undefined => /^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d*:(?:key|alias)\/\S+$/.exec(arn)?.[1]

/** Credentials come from where those of S3 do. The endpoint: AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL, Amazon's. */
export function kmsKey(parts: Omit<CredentialParts, 'region'>, id: string, arn: string): MasterKey {
  const region = kmsRegion(arn)!
  const { environment } = parts
  const url = environment['AWS_ENDPOINT_URL_KMS'] ?? environment['AWS_ENDPOINT_URL'] ?? `https://kms.${region}.amazonaws.com`
  const credentials = awsCredentials({ ...parts, region })

  async function call(operation: 'Encrypt' | 'Decrypt', about: string, members: object): Promise<Record<string, string>> {
    const body = JSON.stringify({ KeyId: arn, EncryptionContext: { millrace: about }, ...members })
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
    const { status, body: answer } = await send(parts, `${operation} of ${arn}`, async () => {
      const options = { credentials: await credentials(), region, service: 'kms', nowMs: parts.clock.nowMs() }
      return { method: 'POST', body, ...sign({ method: 'POST', url: `${new URL(url).origin}/`, query: {}, headers, body }, options) }
    })
    const text = answer.toString('utf8')
    if (status === 200) return JSON.parse(text) as Record<string, string>
    throw refused(operation, about, status, text)
  }

  function refused(operation: string, about: string, status: number, text: string): MillraceError {
    const type = /"__type":\s*"(?:[^"#]*#)?(\w+)"/.exec(text)?.[1] ?? ''
    if (type === 'InvalidCiphertextException' || type === 'IncorrectKeyException')
      return new MillraceError('MR_SEAL_DAMAGED', `${about} is not what the master key "${id}" (${arn}) wrapped`, {
        fix: 'restore keys.json from a backup if it was changed',
      })
    return new MillraceError(
      'MR_KEY_SERVICE',
      `${operation} with the master key "${id}" (${arn}) was refused: ${status} ${text.slice(0, 300)}`,
      {
        fix: 'see that the key is enabled and the credentials may call kms:Encrypt and kms:Decrypt',
      },
    )
  }

  return {
    id,
    async wrap(secret, about) {
      const { CiphertextBlob = '' } = await call('Encrypt', about, { Plaintext: Buffer.from(secret).toString('base64') })
      return Buffer.from(CiphertextBlob, 'base64')
    },
    async unwrap(wrapped, about) {
      const { Plaintext = '' } = await call('Decrypt', about, { CiphertextBlob: Buffer.from(wrapped).toString('base64') })
      return Buffer.from(Plaintext, 'base64')
    },
  }
}
