// Spilled state as files of one directory of this process: scratch, removed when it is opened, and encrypted with a key that is
// nowhere but in memory. Reading waits: it happens in the thread of a processor, between two calls of its code, which could do
// nothing else.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { systemRandom } from '../core/random.ts'
import { decrypt, encrypt } from '../objects/seal/sealed.ts'
import type { Spill } from '../stream/state/spill.ts'

const NONCE_BYTES = 12

export function diskSpill(directory: string): Spill {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const key = systemRandom.bytes(32)
  let written = 0
  const pathOf = (name: string): string => join(directory, name.replaceAll('/', '.'))
  return {
    write(name, content) {
      const nonce = Buffer.alloc(NONCE_BYTES)
      nonce.writeUIntBE(written++, NONCE_BYTES - 6, 6)
      writeFileSync(pathOf(name), Buffer.concat([nonce, ...encrypt(key, nonce, Buffer.from(name), zstdCompressSync(content))]))
    },
    read(name) {
      const bytes = readFileSync(pathOf(name))
      const packed = decrypt(key, bytes.subarray(0, NONCE_BYTES), Buffer.from(name), bytes.subarray(NONCE_BYTES), pathOf(name))
      return zstdDecompressSync(packed[0]!)
    },
    remove: (name) => rmSync(pathOf(name), { force: true }),
  }
}
