// The format of what is sealed: AES-256-GCM under a key of its own for each file, derived from a data key (HKDF-SHA-256, RFC 5869).
// A sealed file is chunks of 64 KiB, so that a part can be opened without the rest:
//
//   header  "MRSEAL" | version 1 | log2 of the chunk's bytes | data key id, 16 bytes | salt, 16 bytes
//   chunk   ciphertext | tag, 16 bytes; the nonce is 7 zero bytes, 1 in the last chunk and else 0, the chunk's number in 4 bytes
//
// The header is authenticated with each chunk, the file's own name is part of its key: chunks that are swapped, cut off, taken from
// another file or given another file's name are refused. A piece is the same for a part of a file that has a format of its own.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { assert, MillraceError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import type { DataKey, KeyRing } from './key-ring.ts'

const MAGIC = Buffer.from('MRSEAL')
const VERSION = 1
const CHUNK_LOG2 = 16
const CHUNK_BYTES = 1 << CHUNK_LOG2
const ID_BYTES = 16
const SALT_BYTES = 16
const HEADER_BYTES = MAGIC.length + 2 + ID_BYTES + SALT_BYTES
const TAG_BYTES = 16
const NONCE_BYTES = 12
const KEY_BYTES = 32
/** What a piece is longer than what it holds. */
export const PIECE_BYTES = ID_BYTES + TAG_BYTES

/** A key for one purpose and one name. */
export const deriveKey = ({ secret }: DataKey, salt: Uint8Array, about: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, about, KEY_BYTES))

/** `name` is the last part of the file's path: a file may move, and must not become another. */
export function sealFile(key: DataKey, name: string, content: Uint8Array, random: Random): Buffer {
  const header = Buffer.concat([MAGIC, Uint8Array.of(VERSION, CHUNK_LOG2), key.id, random.bytes(SALT_BYTES)])
  const own = keyOfFile(key, header, name)
  const count = Math.max(1, Math.ceil(content.length / CHUNK_BYTES))
  const parts: Uint8Array[] = [header]
  for (let n = 0; n < count; n++) {
    const chunk = content.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES)
    parts.push(...encrypt(own, nonceOf(n, n === count - 1), header, chunk))
  }
  return Buffer.concat(parts)
}

export const isSealed = (bytes: Uint8Array): boolean => MAGIC.equals(bytes.subarray(0, MAGIC.length))

/** The content, and whose key it was sealed with. @throws MR_SEAL_DAMAGED naming the file, MR_KEY_UNKNOWN */
export function openFile(ring: KeyRing, name: string, bytes: Uint8Array): { readonly content: Buffer; readonly scope: string } {
  if (bytes.length < HEADER_BYTES + TAG_BYTES || !isSealed(bytes)) throw damaged(name, 'is cut off')
  const [version, log2] = [bytes[MAGIC.length], bytes[MAGIC.length + 1]!]
  if (version !== VERSION || log2 !== CHUNK_LOG2) throw damaged(name, `has version ${version}, which is not known`)
  const header = bytes.subarray(0, HEADER_BYTES)
  const key = ring.byId(header.subarray(HEADER_BYTES - SALT_BYTES - ID_BYTES, HEADER_BYTES - SALT_BYTES), name)
  const own = keyOfFile(key, header, name)
  const chunks: Buffer[] = []
  for (let at = HEADER_BYTES, n = 0; at < bytes.length; n++) {
    const end = Math.min(at + CHUNK_BYTES + TAG_BYTES, bytes.length)
    chunks.push(...decrypt(own, nonceOf(n, end === bytes.length), header, bytes.subarray(at, end), name))
    at = end
  }
  return { content: Buffer.concat(chunks), scope: key.scope }
}

const keyOfFile = (key: DataKey, header: Uint8Array, name: string): Buffer =>
  deriveKey(key, header.subarray(HEADER_BYTES - SALT_BYTES), `millrace file ${name}`)

/**
 * A part of a file, which begins there at `position`: data key id, ciphertext, tag. `name` must be that of no other file of the
 * scope, ever, and `position` that of no other part of it: together they are the nonce.
 */
export function sealPiece(key: DataKey, name: string, position: number, content: Uint8Array): Buffer {
  return Buffer.concat([key.id, ...encrypt(keyOfPieces(key, name), pieceNonce(position), key.id, content)])
}

/** @throws MR_SEAL_DAMAGED naming the file, MR_KEY_UNKNOWN */
export function openPiece(ring: KeyRing, name: string, position: number, bytes: Uint8Array): Buffer {
  if (bytes.length < PIECE_BYTES) throw damaged(name, 'is cut off')
  const id = bytes.subarray(0, ID_BYTES)
  const own = keyOfPieces(ring.byId(id, name), name)
  return Buffer.concat(decrypt(own, pieceNonce(position), id, bytes.subarray(ID_BYTES), name))
}

const keyOfPieces = (key: DataKey, name: string): Buffer => deriveKey(key, Buffer.alloc(0), `millrace pieces ${name}`)

/** Ciphertext and tag. */
export function encrypt(key: Uint8Array, nonce: Uint8Array, about: Uint8Array, content: Uint8Array): readonly Buffer[] {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(about)
  const body = cipher.update(content)
  cipher.final()
  return [body, cipher.getAuthTag()]
}

/** `what` is named in the error. @throws MR_SEAL_DAMAGED */
export function decrypt(key: Uint8Array, nonce: Uint8Array, about: Uint8Array, bytes: Uint8Array, what: string): readonly Buffer[] {
  if (bytes.length < TAG_BYTES) throw damaged(what, 'is cut off')
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAAD(about)
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  const body = decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES))
  try {
    decipher.final()
  } catch (cause) {
    throw damaged(what, 'is not what was sealed', cause)
  }
  return [body]
}

function nonceOf(number: number, isLast: boolean): Buffer {
  assert(number < 2 ** 32, 'a sealed file has fewer than 2^32 chunks')
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce[7] = isLast ? 1 : 0
  nonce.writeUInt32BE(number, 8)
  return nonce
}

function pieceNonce(position: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeBigUInt64BE(BigInt(position), 4)
  return nonce
}

export const damaged = (name: string, what: string, cause?: unknown): MillraceError =>
  new MillraceError('MR_SEAL_DAMAGED', `${name} ${what}`, {
    fix: 'restore the file from a backup: it was changed after it was written',
    ...(cause === undefined ? {} : { cause }),
  })
