// Runs a processor in a worker thread, so that its code can neither stop the engine nor hold it up: a call that does not come
// back within its limit is ended with its thread, and told with the place where it was. See
// docs/decisions/0012-processors-run-in-worker-threads.md for why a thread and not a process.
import { rmSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { ProcessorManifest, StreamManifest } from '../define/manifest.ts'
import type { Ended, ProcessorHost, Ran } from '../stream/processor/host.ts'
import type { Reply, Request, WorkerData } from './processor-worker.ts'
import { stackOfWorker } from './worker-stack.ts'

export interface WorkerHostParts {
  readonly clock: Clock
  /** Of the project. */
  readonly directory: string
  readonly code: string
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  readonly outputs: readonly StreamManifest[]
  /** Memory of its state where the processor does not say, and the directory for what has no room in it. */
  readonly stateBytes: number
  readonly spillDirectory: string
}

const LIMIT_MS = 5_000
/** The limit is looked at in so many steps: one that is missed because the whole process stood still ends nothing. */
const STEPS = 4
/** Rows live for one call: with room for many of them, few are looked at when room is made. */
const YOUNG_MB = 96
/** Above this share of the heap before a round, its state is what has no room, not a call. */
const HEAP_FULL = 0.7

const here = import.meta.url
const ENTRY = new URL(here.endsWith('.ts') ? './processor-worker.ts' : './processor-worker.js', here)

interface Thread {
  readonly worker: Worker
  /** Calls begun, offset and number of the call at hand, share of the heap in use before the round. */
  readonly progress: Float64Array
  /** Why it has ended, when it has. */
  ended: string | null
  settle: ((outcome: Reply | 'ended') => void) | null
}

export function workerHost(parts: WorkerHostParts): ProcessorHost {
  const { clock, directory, code, processor, input, outputs, stateBytes } = parts
  const limitMs = processor.limitMs ?? LIMIT_MS
  let thread: Thread | null = null
  let keys = 0
  let bytes = 0
  let threads = 0
  let partition = 0

  function start(): Thread {
    const progress = new SharedArrayBuffer(4 * Float64Array.BYTES_PER_ELEMENT)
    // A thread that was ended may still be writing: each has a directory of its own.
    const spillDirectory = `${parts.spillDirectory}/${++threads}`
    const data: WorkerData = { directory, code, processor, input, outputs, progress, stateBytes, spillDirectory }
    const started: Thread = {
      worker: new Worker(ENTRY, {
        workerData: data,
        name: `processor ${processor.name}`,
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      }),
      progress: new Float64Array(progress),
      ended: null,
      settle: null,
    }
    const end = (why: string): void => {
      started.ended ??= why
      started.settle?.('ended')
    }
    started.worker.on('message', (reply: Reply) => started.settle?.(reply))
    started.worker.on('error', (error: Error) => end(error.stack ?? error.message))
    started.worker.on('exit', (status) => {
      // Nobody reads it any more, and code that is ended often would fill the disk.
      rmSync(spillDirectory, { recursive: true, force: true })
      end(`its thread ended with status ${status}`)
    })
    return started
  }

  async function ask(at: Thread, request: Request): Promise<Reply | 'ended'> {
    if (at.ended !== null) return 'ended'
    return new Promise((resolve) => {
      at.settle = (outcome) => {
        at.settle = null
        resolve(outcome)
      }
      at.worker.postMessage(request)
    })
  }

  /** Outside of calls of user code an end is a failure, which the pipeline starts again from. */
  async function must(request: Request): Promise<unknown> {
    const at = thread ?? start()
    thread = at
    const reply = await ask(at, request)
    if (reply === 'ended') throw failed(at.ended ?? 'its thread ended')
    if (reply.error)
      throw new MillraceError(reply.error.code, reply.error.message, reply.error.fix === undefined ? {} : { fix: reply.error.fix })
    if (reply.keys !== undefined) keys = reply.keys
    if (reply.bytes !== undefined) bytes = reply.bytes
    return reply.value
  }

  const failed = (why: string): MillraceError => {
    thread = null
    return new MillraceError('MR_PROCESSOR', `${processor.name}: ${why}`, { fix: 'see the message; it starts again from its last commit' })
  }

  async function call(request: Request): Promise<Ran | Ended> {
    const at = thread
    if (!at) throw failed('it has no thread')
    if (at.ended !== null) throw failed(at.ended)
    const callsBefore = at.progress[0]!
    let stuck: string | null = null
    const stopWatching = watch(at, async () => {
      stuck = await stackOfWorker(at.worker.threadId, clock)
      await at.worker.terminate()
    })
    const reply = await ask(at, request)
    stopWatching()
    if (reply !== 'ended') {
      if (reply.error) throw new MillraceError(reply.error.code, reply.error.message)
      return reply.value as Ran
    }
    thread = null
    const [calls, offset, nth, heap] = at.progress as unknown as [number, number, number, number]
    const why = at.ended ?? ''
    if (calls === callsBefore) throw failed(why)
    if (stuck === null && /ERR_WORKER_OUT_OF_MEMORY|memory limit/.test(why) && heap > HEAP_FULL)
      throw new MillraceError('MR_PROCESSOR', `${processor.name}: its state has no room in memory`, {
        fix: 'let its state expire, or raise NODE_OPTIONS=--max-old-space-size',
      })
    const where = `${processor.name} on partition ${partition}, offset ${offset}`
    return stuck === null
      ? { kind: 'ended', partition, offset, nth, code: 'MR_ROW_PROCESSOR_EXIT', message: `${where}: ${why}` }
      : {
          kind: 'ended',
          partition,
          offset,
          nth,
          code: 'MR_ROW_PROCESSOR_TIME',
          message: `${where} ran longer than ${limitMs} ms\n${stuck}`,
        }
  }

  /** Calls `onStuck` once when one call of user code lasts for the limit. Answers what stops looking. */
  function watch({ progress }: Thread, onStuck: () => Promise<void>): () => void {
    let calls = progress[0]!
    let steps = 0
    let cancel = (): void => {}
    const look = (): void => {
      steps = progress[0] === calls ? steps + 1 : 0
      calls = progress[0]!
      if (steps >= STEPS) void onStuck()
      else cancel = clock.after(limitMs / STEPS, look)
    }
    cancel = clock.after(limitMs / STEPS, look)
    return () => cancel()
  }

  return {
    async restore(saved) {
      const restored = await must({ kind: 'restore', saved })
      return restored as readonly (readonly [number, number])[]
    },
    run: (round) => {
      partition = round.partition
      return call({ kind: 'run', round })
    },
    resume: () => call({ kind: 'resume' }),
    save: () => must({ kind: 'save' }),
    get keys() {
      return keys
    },
    get bytes() {
      return bytes
    },
    async close() {
      await thread?.worker.terminate()
      thread = null
    },
  }
}
