// Checkpoint files: the state of a pipeline at a cut of its log, as compressed JSON, durable before the commit that names
// it. Old ones are removed once a newer one is committed. PROTOCOL rules 13, 14 and 17.
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { ObjectStore } from '../objects/object-store.ts'

export interface CheckpointStore {
  /** Writes a new file; answers its location. */
  write(pipeline: string, state: unknown): Promise<string>
  read(location: string): Promise<unknown>
  /**
   * Removes the checkpoints of the pipeline that were written before the committed one. Those after it are left alone: an
   * owner that was replaced between its commit and this call must not remove what the new owner commits.
   */
  prune(pipeline: string, keep: string): Promise<void>
}

/** Of a UUID of version 7: 48 bits of milliseconds, with a hyphen. */
const TIME_DIGITS = 13

export function openCheckpoints(store: ObjectStore, clock: Clock, random: Random, directory: string): CheckpointStore {
  const timeOf = (name: string): string => name.slice(0, TIME_DIGITS)
  const folder = (pipeline: string): string => `${directory}/${pipeline.replaceAll(':', '.')}`
  return {
    async write(pipeline, state) {
      await store.makeDirectory(folder(pipeline))
      const location = `${folder(pipeline)}/${uuidV7(clock.nowMs(), random)}.checkpoint`
      await store.put(location, zstdCompressSync(Buffer.from(JSON.stringify({ version: 1, state }))))
      return location
    },
    async read(location) {
      try {
        const { version, state } = JSON.parse(zstdDecompressSync(await store.read(location)).toString('utf8')) as {
          version: number
          state: unknown
        }
        if (version !== 1)
          throw new MillraceError('MR_STREAM_STATE', `checkpoint ${location} has version ${version}`, {
            fix: 'run the version of Millrace that wrote it',
          })
        return state
      } catch (cause) {
        if (cause instanceof MillraceError) throw cause
        throw new MillraceError('MR_STREAM_STATE', `checkpoint ${location} cannot be read`, {
          cause,
          fix: 'restore it from a backup, or run `millrace backfill` for the pipeline',
        })
      }
    },
    async prune(pipeline, keep) {
      const directory = folder(pipeline)
      const before = timeOf(keep.slice(directory.length + 1))
      for await (const { path } of store.list(directory)) if (timeOf(path.slice(directory.length + 1)) < before) await store.remove(path)
    },
  }
}
