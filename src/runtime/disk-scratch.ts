// Scratch files in one directory of this process, which is emptied when it is opened: what a process that ended left is not needed.
// Those of an encrypted relation are AES-256-CTR under a key for each file that is nowhere but in memory: any part of a file can be
// read by itself. They are not authenticated, since nothing but this process takes them for true, and only while it runs.
import { createCipheriv } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskFull } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import type { Scratch, ScratchFile } from '../core/scratch.ts'

const KEY_BYTES = 32
const BLOCK_BYTES = 16

/** @throws MR_DATA_FULL, from `append`, when the disk has no room. */
export function diskScratch(directory: string, isEncrypted = false): Scratch {
  rmSync(directory, { recursive: true, force: true })
  let created = 0
  const files = new Set<ScratchFile>()
  return {
    close() {
      for (const file of files) file.remove()
    },
    create() {
      mkdirSync(directory, { recursive: true })
      const path = join(directory, String(++created))
      const file = openSync(path, 'wx+')
      const key = isEncrypted ? systemRandom.bytes(KEY_BYTES) : null
      let length = 0
      const scratch: ScratchFile = {
        append(plain) {
          const content = key ? crypted(key, length, plain) : plain
          try {
            for (let done = 0; done < content.length; ) {
              const written = writeSync(file, content, done, content.length - done, length + done)
              if (written === 0) throw noRoom(path, null)
              done += written
            }
          } catch (error) {
            throw isDiskFull(error) ? noRoom(path, error) : error
          }
          length += content.length
        },
        read(position, into) {
          for (let done = 0; done < into.length; ) {
            const read = readSync(file, into, done, into.length - done, position + done)
            if (read === 0) throw new MillraceError('MR_ASSERT', `cannot be: ${path} ends before ${position + into.length}`)
            done += read
          }
          if (key) into.set(crypted(key, position, into))
        },
        remove() {
          if (!files.delete(scratch)) return
          closeSync(file)
          rmSync(path, { force: true })
        },
      }
      files.add(scratch)
      return scratch
    },
  }
}

/** To and fro: what stands at `position` of the file. */
function crypted(key: Uint8Array, position: number, content: Uint8Array): Buffer {
  const counter = Buffer.alloc(BLOCK_BYTES)
  counter.writeBigUInt64BE(BigInt(Math.floor(position / BLOCK_BYTES)), BLOCK_BYTES - 8)
  const cipher = createCipheriv('aes-256-ctr', key, counter)
  cipher.update(Buffer.alloc(position % BLOCK_BYTES))
  return cipher.update(content)
}

const noRoom = (path: string, cause: unknown): MillraceError =>
  new MillraceError('MR_DATA_FULL', `${path}: the disk has no room for state that has none in memory`, {
    cause,
    fix: 'make room on the disk of the data directory, or raise the `memory` of the model; it goes on from its last commit by itself',
  })
