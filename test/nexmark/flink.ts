// The tables of Nexmark's streams in Flink: the same files of NDJSON, one for each partition, read by Flink's own file source and JSON
// format, which reads each file from its beginning to its end; so rows keep the order of their partition, as from a log.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printFlinkStream } from '../../src/engine/algebra/print-flink.ts'
import { LATENESS_MS, type Partitions, shapeOf, timeOf } from './engine.ts'
import { nexmarkLines, type StreamName, sideInputLines } from './events.ts'

export const STREAMS = ['person', 'auction', 'bid'] as const

export interface NexmarkFiles {
  readonly directory: string
  readonly rows: Readonly<Record<StreamName, number>>
}

/** Every second fifty goes to the second partition. `remove` the directory afterwards. */
export function writeFiles(fifties: number, perSecond: number): NexmarkFiles {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-nexmark-'))
  const parts = [0, 1].map((partition) => nexmarkParts(partition, fifties, perSecond))
  for (const name of STREAMS) {
    mkdirSync(join(directory, name))
    for (const [i, part] of parts.entries()) writeFileSync(join(directory, name, `${i}.json`), part[name])
  }
  mkdirSync(join(directory, 'side_input'))
  writeFileSync(join(directory, 'side_input', '0.json'), sideInputLines())
  return { directory, rows: { person: fifties, auction: fifties * 3, bid: fifties * 46 } }
}

const CUT = 2_000

function nexmarkParts(partition: number, fifties: number, perSecond: number): Readonly<Record<StreamName, Buffer>> {
  const pieces: Record<StreamName, Buffer[]> = { person: [], auction: [], bid: [] }
  for (let from = partition; from < fifties; from += CUT) {
    const lines = nexmarkLines({ from, count: Math.min(CUT, fifties - from), perSecond, step: 2 })
    for (const name of STREAMS) pieces[name].push(lines[name])
  }
  return { person: Buffer.concat(pieces.person), auction: Buffer.concat(pieces.auction), bid: Buffer.concat(pieces.bid) }
}

/** The files of a stream, one for each partition; those of `arriving` are those of `bid`. */
export const partitionsOf = (directory: string, stream: string): Partitions =>
  (stream === 'side_input' ? [0] : [0, 1]).map((partition) => join(directory, stream === 'arriving' ? 'bid' : stream, `${partition}.json`))

export const removeFiles = ({ directory }: NexmarkFiles): void => rmSync(directory, { recursive: true, force: true })

/** CREATE TABLE of a stream over its files. */
export function flinkTable(name: string, directory: string): string {
  const time = timeOf(name)
  const from = join(directory, name === 'arriving' ? 'bid' : name)
  const how = `'connector' = 'filesystem', 'path' = 'file://${from}', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'`
  return printFlinkStream({ name, shape: shapeOf(name), ...(time ? { time } : {}), latenessMs: LATENESS_MS }, how)
}
