// Scratch files in one directory of this process, which is emptied when it is opened: what a process that ended left is not needed.
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskFull } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { Scratch, ScratchFile } from '../core/scratch.ts'

/** @throws MR_DATA_FULL, from `append`, when the disk has no room. */
export function diskScratch(directory: string): Scratch {
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
      let length = 0
      const scratch: ScratchFile = {
        append(content) {
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

const noRoom = (path: string, cause: unknown): MillraceError =>
  new MillraceError('MR_DATA_FULL', `${path}: the disk has no room for state that has none in memory`, {
    cause,
    fix: 'make room on the disk of the data directory, or raise the `memory` of the model; it goes on from its last commit by itself',
  })
