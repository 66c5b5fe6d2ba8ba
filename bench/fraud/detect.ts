// The shop's payments through its fraud processor, as a server does it: the door, the log, the classified stream, the host. For
// the figures of the example (`bench/fraud.ts`) and the tests of its data.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Event, printEvent } from '../../examples/shop/traffic/event.ts'
import { type TimelineOptions, timelineOf } from '../../examples/shop/traffic/timeline.ts'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Manifest, ProcessorManifest, StreamManifest } from '../../src/define/manifest.ts'
import type { Project } from '../../src/define/project.ts'
import { collect } from '../../src/ingest/collect.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Log } from '../../src/log/log.ts'
import { processorsOf } from '../../src/runtime/project-code.ts'
import { compileProject } from '../../src/runtime/start-project.ts'
import { workerHost } from '../../src/runtime/worker-host.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { ProcessorHost } from '../../src/stream/processor/host.ts'
import { localHost } from '../../src/stream/processor/local-host.ts'
import { Process } from '../../src/stream/processor/process.ts'
import { StreamSource } from '../../src/stream/source.ts'

export const SHOP = join(import.meta.dirname, '../../examples/shop')
const READ_BYTES = 2 << 20

export interface Suspect {
  readonly payment: string
  readonly reason: string
  readonly score: number
}

export interface Found {
  readonly suspects: readonly Suspect[]
  /** Payments that the processor was given. */
  readonly payments: number
  readonly refused: number
  /** Of reading, scanning, the processor and the writing of what it emits. */
  readonly cpuSeconds: number
  readonly wallSeconds: number
}

/** Payments as NDJSON, in the order of their arrival, and which of them are fraud. */
export function traffic(options: TimelineOptions): { readonly payments: readonly string[]; readonly labels: ReadonlyMap<string, string> } {
  const payments: string[] = []
  const labels = new Map<string, string>()
  for (const event of timelineOf(options).history() as Iterable<Event>) {
    if (event.stream === 'payments') payments.push(printEvent(event))
    if (event.stream === 'fraud_labels' && event.kind === 'row') labels.set(String(event.row['payment']), String(event.row['fraud_case']))
  }
  return { payments, labels }
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

export async function detect(lines: readonly string[], where: 'thread of its own' | 'same thread'): Promise<Found> {
  const { manifest, project, code } = await compileProject(SHOP)
  const processor = manifest.processors.find(({ name }) => name === 'suspects')!
  const input = streamOf(manifest, processor.from)
  const outputs = [processor.name, ...Object.values(processor.outputs ?? {})].map((name) => streamOf(manifest, name))
  const directory = mkdtempSync(join(tmpdir(), 'millrace-fraud-'))
  const clock: Clock = systemClock
  const log = await openEmbeddedLog({ disk: nodeDisk, clock, directory })
  const host = hostOf(where, { processor, input, outputs }, project, code)
  try {
    for (const { name, partitions } of [input, ...outputs]) await log.ensureTopic(name, partitions)
    await send(log, input, lines)
    const source = new StreamSource(log, input, compileScanner(input.shape))
    const sink = new Process({ clock, log, processor, input, outputs, host })
    await source.restore(
      Array.from({ length: input.partitions }, () => 0),
      null,
    )
    await sink.restore(null)
    const [startedCpu, startedMs] = [cpuSeconds(), clock.monotonicMs()]
    let payments = 0
    while (source.hasMore(0)) {
      const delivery = await source.read(0, READ_BYTES)
      if (!delivery) break
      payments += delivery.classified.out.length
      await sink.apply(delivery)
      await sink.tick(source.watermarkUs)
    }
    const spent = { cpuSeconds: cpuSeconds() - startedCpu, wallSeconds: (clock.monotonicMs() - startedMs) / 1_000 }
    const out = { suspects: [] as Suspect[], refused: 0 }
    await readAll(log, processor.name, (kind, line) => {
      if (kind === 'rows') out.suspects.push(JSON.parse(line) as Suspect)
      if (kind === 'rejects') out.refused++
    })
    return { ...out, payments, ...spent }
  } finally {
    await host.close()
    await log.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

interface About {
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  readonly outputs: readonly StreamManifest[]
}

function hostOf(where: 'thread of its own' | 'same thread', about: About, project: Project, code: string): ProcessorHost {
  if (where === 'thread of its own')
    return workerHost({
      ...about,
      clock: systemClock,
      directory: SHOP,
      code,
      stateBytes: 1 << 30,
      spillDirectory: join(tmpdir(), `millrace-spill-${process.pid}`),
    })
  return localHost({ ...about, code: processorsOf(project).get(about.processor.name)! })
}

function streamOf(manifest: Manifest, name: string): StreamManifest {
  const found = manifest.relations.find((relation) => relation.name === name)
  if (found?.kind !== 'stream') throw new MillraceError('MR_ASSERT', `cannot be: there is no stream ${name}`)
  return found
}

async function send(log: Log, input: StreamManifest, lines: readonly string[]): Promise<void> {
  const keyIndex = input.shape.fields.findIndex(({ name }) => name === input.key)
  const door = { topic: input.name, partitions: input.partitions, keyIndex, scanner: compileScanner(input.shape) }
  for (let from = 0; from < lines.length; from += 5_000) {
    const body = Buffer.from(`${lines.slice(from, from + 5_000).join('\n')}\n`)
    const request = { contentType: 'application/x-ndjson', contentEncoding: undefined, idempotencyKey: undefined, body }
    await collect(log, door, request, { bodyBytesMax: 1 << 26 })
  }
}

async function readAll(log: Log, topic: string, onLine: (kind: string, line: string) => void): Promise<void> {
  const { start, end } = log.range(topic, 0)
  for (let at = start; at < end; ) {
    const batches = await log.read(topic, 0, at, READ_BYTES)
    for (const { kind, payload, count } of batches)
      for (const line of Buffer.from(payload).toString().split('\n').slice(0, count)) onLine(kind, line)
    const last = batches.at(-1)!
    at = last.baseOffset + last.count
  }
}

export interface Quality {
  readonly cases: number
  readonly caught: number
  readonly frauds: number
  readonly hits: number
  readonly flagged: number
  /** Share of the cases with a suspect, of the payments that are fraud, and of the suspects that are fraud. */
  readonly caseRecall: number
  readonly recall: number
  readonly precision: number
}

export function qualityOf(suspects: readonly Suspect[], labels: ReadonlyMap<string, string>): Quality {
  const flagged = new Set(suspects.map(({ payment }) => payment))
  const hits = [...flagged].filter((payment) => labels.has(payment))
  const cases = new Set(labels.values())
  const caught = new Set(hits.map((payment) => labels.get(payment)!))
  return {
    cases: cases.size,
    caught: caught.size,
    frauds: labels.size,
    hits: hits.length,
    flagged: flagged.size,
    caseRecall: caught.size / cases.size,
    recall: hits.length / labels.size,
    precision: hits.length / flagged.size,
  }
}
