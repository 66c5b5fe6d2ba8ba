// The threads of the doors before they listen: they load their code while the rest of the process starts, on another core.
import { Worker } from 'node:worker_threads'

export interface DoorThreads {
  readonly count: number
  /** One that waits for its `ThreadData`, begun now when there is none left. */
  take(): Worker
  /** Ends those that were never taken. */
  close(): Promise<void>
}

const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

export function beginDoorThreads(count: number): DoorThreads {
  const begin = (): Worker => new Worker(ENTRY, { name: 'door' })
  const spare = Array.from({ length: count }, () => begin().on('error', () => {})) // it is begun again when it is taken
  return {
    count,
    take() {
      const next = spare.shift()
      return next && next.threadId !== ENDED ? next : begin()
    },
    close: async () => void (await Promise.all(spare.splice(0).map((worker) => worker.terminate()))),
  }
}

/** What Node says of a thread that is gone. */
const ENDED = -1
