// Master keys wrap data keys; nothing else is ever encrypted with them. This is the interface behind which a key service can stand,
// and its local form: keys as text, one a line, of which the first is the current one. Where the text comes from is not known here.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { MillraceError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'

export interface MasterKey {
  /** Names the key in `keys.json` and in messages; says nothing of its bytes. */
  readonly id: string
  /** `about` is bound to the result: unwrapping with another one fails. */
  wrap(secret: Uint8Array, about: string): Promise<Buffer>
  /** @throws MR_SEAL_DAMAGED when the bytes are not what this key wrapped `about`. */
  unwrap(wrapped: Uint8Array, about: string): Promise<Buffer>
}

/** The first wraps; the others are there for what was wrapped before. */
export type MasterKeys = readonly [current: MasterKey, ...before: MasterKey[]]

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Makes the key of a name and what stands behind it in the text; undefined for other text. */
export type OpenMasterKey = (id: string, text: string) => MasterKey | undefined

/**
 * Lines of `<name> <32 bytes in base64>`, or of what `service` opens; empty ones and those that begin with `#` are passed
 * over.
 * @throws MR_KEY_FILE naming `source` and the line, never its content.
 */
export function parseMasterKeys(text: string, source: string, random: Random, service: OpenMasterKey = () => undefined): MasterKeys {
  const lines = text.split(/[\n,]/).map((line) => line.trim())
  const keys = lines.flatMap((line, index) => {
    if (line === '' || line.startsWith('#')) return []
    const [, id, what = ''] = /^([a-z0-9][a-z0-9_-]{0,63})\s+(\S+)$/.exec(line) ?? []
    const isLocal = /^[A-Za-z0-9+/]{43}=$/.test(what)
    const key = id && (isLocal ? localKey(id, Buffer.from(what, 'base64'), random) : service(id, what))
    if (!key) throw badKeys(`${source} has no key in line ${index + 1}`)
    return [key]
  })
  const twice = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) !== index)
  if (twice) throw badKeys(`${source} has two keys called "${twice.id}"`)
  const [current, ...before] = keys
  if (!current) throw badKeys(`${source} has no key`)
  return [current, ...before]
}

const badKeys = (what: string): MillraceError =>
  new MillraceError('MR_KEY_FILE', what, {
    fix: 'make a key with `millrace keys create <file>`: a line is a name and 32 bytes in base64, or the ARN of a key of Amazon KMS',
  })

/** A line of a key file for a new key. */
export const newMasterKeyLine = (id: string, random: Random): string => `${id} ${Buffer.from(random.bytes(KEY_BYTES)).toString('base64')}`

/** AES-256-GCM with a random nonce: nonce, ciphertext, tag. */
function localKey(id: string, key: Buffer, random: Random): MasterKey {
  return {
    id,
    async wrap(secret, about) {
      const nonce = random.bytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      cipher.setAAD(Buffer.from(about))
      return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
    },
    async unwrap(wrapped, about) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(0, NONCE_BYTES))
        decipher.setAAD(Buffer.from(about))
        decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG_BYTES))
        return Buffer.concat([decipher.update(wrapped.subarray(NONCE_BYTES, wrapped.length - TAG_BYTES)), decipher.final()])
      } catch (cause) {
        throw new MillraceError('MR_SEAL_DAMAGED', `${about} is not what the master key "${id}" wrapped`, {
          cause,
          fix: `see that "${id}" names the same key as when it was wrapped, and restore keys.json from a backup if it was changed`,
        })
      }
    },
  }
}
