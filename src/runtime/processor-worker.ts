// The thread of one processor: loads the project anew, runs rounds and answers. Started by `worker-host.ts` alone. It has no
// log, no tables and no network of Millrace's.
import { getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { ProcessorManifest, StreamManifest } from '../define/manifest.ts'
import { Executor } from '../stream/processor/executor.ts'
import type { Round } from '../stream/processor/host.ts'
import { diskSpill } from './disk-spill.ts'
import { forbidChance } from './forbid-chance.ts'
import { loadProject } from './load.ts'
import { fingerprintOf, processorsOf } from './project-code.ts'

export interface WorkerData {
  readonly directory: string
  /** Fingerprint of the code that the node runs: another one is refused. */
  readonly code: string
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  readonly outputs: readonly StreamManifest[]
  /** Four doubles: calls begun, offset and number of the call at hand, share of the heap in use before the round. */
  readonly progress: SharedArrayBuffer
  /** Memory of its state, and the directory for what has no room in it. */
  readonly stateBytes: number
  readonly spillDirectory: string
}

export type Request =
  | { readonly kind: 'restore'; readonly saved: unknown }
  | { readonly kind: 'run'; readonly round: Round }
  | { readonly kind: 'resume' }
  | { readonly kind: 'save' }

export interface Reply {
  readonly value?: unknown
  readonly keys?: number
  /** About how much memory the state takes. */
  readonly bytes?: number
  readonly error?: { readonly code: MillraceError['code']; readonly message: string; readonly fix: string | undefined }
}

const { directory, code, processor, input, outputs, progress, stateBytes, spillDirectory } = workerData as WorkerData
const seen = new Float64Array(progress)
const calls = forbidChance()

async function open(): Promise<Executor> {
  const loaded = await loadProject(directory)
  if (fingerprintOf(loaded.files) !== code)
    throw new MillraceError(
      'MR_PROCESSOR',
      `the files of the project have changed since the server started: ${processor.name} cannot go on`,
      {
        fix: 'restart the server, or put the files back',
      },
    )
  const own = processorsOf(loaded.project).get(processor.name)
  if (!own) throw new MillraceError('MR_ASSERT', `cannot be: processor ${processor.name} has no code`)
  const onCall = (offset: number, nth: number): void => {
    seen[1] = offset
    seen[2] = nth
    seen[0]!++
    calls.begin()
  }
  const room = { limitBytes: processor.memoryBytes ?? stateBytes, spill: diskSpill(spillDirectory) }
  return new Executor({ processor, input, outputs, code: own, onCall, onReturn: calls.end, room })
}

const opened = open()
opened.catch(() => {})

parentPort!.on('message', async (request: Request) => {
  try {
    const executor = await opened
    const value = answer(executor, request)
    const payloads = request.kind === 'run' || request.kind === 'resume' ? (value as ReturnType<Executor['run']>).emissions : []
    const reply: Reply = {
      value,
      ...(request.kind === 'save' || request.kind === 'restore' ? { keys: executor.keys, bytes: executor.bytes } : {}),
    }
    parentPort!.postMessage(
      reply,
      payloads.map(({ payload }) => payload.buffer as ArrayBuffer),
    )
  } catch (error) {
    const { code: failed, message, fix } = asMillraceError(error)
    parentPort!.postMessage({ error: { code: failed, message, fix } } satisfies Reply)
  }
})

function answer(executor: Executor, request: Request): unknown {
  switch (request.kind) {
    case 'restore':
      return executor.restore(request.saved)
    case 'save':
      return executor.save()
    case 'resume':
      return executor.resume()
    case 'run': {
      const heap = getHeapStatistics()
      seen[3] = heap.used_heap_size / heap.heap_size_limit
      return executor.run(request.round)
    }
  }
}
