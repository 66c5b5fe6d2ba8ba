// The encrypted parts of a Parquet file ("modules", Parquet's modular encryption): each a length, a nonce, ciphertext and a tag, one
// after the other. DuckDB binds them to nothing but their key, so that whoever can write could move them; a digest of all their
// places, nonces and tags, kept with the file's entry in its manifest, is what makes that visible. Reads no content.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { damaged } from '../objects/seal/sealed.ts'

const MAGIC = 'PARE'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const LENGTH_BYTES = 4
/** AES_GCM_V1 without more, as DuckDB writes it in front of the encrypted footer. */
const CRYPTO = Buffer.from([0x1c, 0x1c, 0, 0, 0])
const HEAD_BYTES = LENGTH_BYTES + NONCE_BYTES

export interface Modules {
  /** SHA-256 in base64. */
  readonly digest: string
  /** As latin1 text, one for each module. */
  readonly nonces: readonly string[]
}

/** @throws MR_SEAL_DAMAGED for a file that is not of modules from end to end. */
export async function readModules(path: string): Promise<Modules> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const read = async (at: number, length: number): Promise<Buffer> => {
      if (at < 0 || at + length > size) throw damaged(path, 'is cut off')
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
      if (bytesRead !== length) throw damaged(path, 'is cut off')
      return buffer
    }
    const foot = await read(size - 8, 8)
    const footer = size - 8 - foot.readUInt32LE(0)
    const isFramed = foot.toString('latin1', 4) === MAGIC && (await read(0, 4)).toString('latin1') === MAGIC
    if (!isFramed || !(await read(footer, CRYPTO.length)).equals(CRYPTO)) throw damaged(path, 'is not an encrypted Parquet file of ours')
    const hash = createHash('sha256').update(foot)
    const nonces: string[] = []
    const end = footer + CRYPTO.length
    // The tag of a module stands right in front of the next: one read for both.
    let at = MAGIC.length
    for (let head = await read(at, HEAD_BYTES); ; ) {
      const next = at + LENGTH_BYTES + head.readUInt32LE(0)
      if (next - at < HEAD_BYTES + TAG_BYTES || next > size - 8) throw damaged(path, 'has a part of no possible length')
      nonces.push(head.toString('latin1', LENGTH_BYTES))
      // In front of the last module, the footer, stands what it is encrypted with.
      const skipped = next === footer ? CRYPTO.length : 0
      const isLast = next === size - 8
      const both = await read(next - TAG_BYTES, TAG_BYTES + (isLast ? 0 : skipped + HEAD_BYTES))
      hash.update(head).update(both.subarray(0, TAG_BYTES + skipped))
      if (isLast) {
        if (at !== end) throw damaged(path, 'has no footer where it says')
        return { digest: hash.digest('base64'), nonces }
      }
      head = both.subarray(TAG_BYTES + skipped)
      at = next + skipped
    }
  } finally {
    await file.close()
  }
}
