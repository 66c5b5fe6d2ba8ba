// Opens a partition after a clean end, a kill or a power cut. The last segment is read and checked whole; older segments
// are trusted to their `.idx`, which is made again where it is missing or damaged. Bytes at the end that no acknowledged
// append can have written are cut off; damage to durable bytes is MR_LOG_CORRUPT. PROTOCOL rules 1 and 3.
import { join } from 'node:path'
import type { DiskFile } from '../core/disk.ts'
import { Memory } from './memory.ts'
import type { KnownIndex, PartitionState } from './partition-state.ts'
import { scanSegment, wasDurable } from './scan.ts'
import {
  basesOf,
  decodeSummary,
  emptyIndex,
  emptySegment,
  encodeSummary,
  indexPath,
  logPath,
  type Segment,
  type Summary,
  throwCorrupt,
  writeSummary,
} from './segment.ts'
import type { LogSettings } from './settings.ts'

/** `from`: where a partition of which nothing is left begins. @throws MR_LOG_CORRUPT naming file and position. */
export async function recoverPartition(settings: LogSettings, directory: string, from = 0): Promise<PartitionState> {
  const names = await settings.disk.list(directory)
  for (const name of names) if (name.endsWith('.tmp')) await settings.disk.remove(join(directory, name))
  const summaries = await readSummaries(settings, directory, names)
  const bases = basesOf(names, 'log')
  if (bases.length === 0) bases.push(await createFirst(settings, directory, from, summaries))
  const segments: Segment[] = []
  for (const [at, base] of bases.slice(0, -1).entries()) {
    const summary = await trustedSummary(settings, directory, base, bases[at + 1]!, summaries)
    summaries.set(base, summary)
    const { next, sizeBytes, firstMs, lastMs } = summary
    segments.push({ base, next, sizeBytes, firstMs, lastMs, index: undefined })
  }
  const last = bases.at(-1)!
  if (last === bases[0]) emissionsBefore(directory, last, summaries)
  const before = [...summaries.values()].filter((summary) => summary.base < last)
  const orphans = before.filter((summary) => summary.base < bases[0]!).map(({ base, next, lastMs }): KnownIndex => ({ base, next, lastMs }))
  const memory = recall(settings, before)
  return openLast(settings, directory, last, summaries.get(last), { segments, orphans, memory })
}

async function readSummaries(settings: LogSettings, directory: string, names: readonly string[]): Promise<Map<number, Summary>> {
  const summaries = new Map<number, Summary>()
  for (const base of basesOf(names, 'idx')) {
    const summary = decodeSummary(await settings.disk.readFile(indexPath(directory, base)), settings.crc32c)
    if (summary) summaries.set(base, summary)
  }
  return summaries
}

/** A partition without segments is new, or was cut off while it was made. */
async function createFirst(settings: LogSettings, directory: string, from: number, summaries: Map<number, Summary>): Promise<number> {
  const ends = [...summaries.values()].map((summary) => summary.next)
  const base = Math.max(from, ...ends)
  if (base > 0 && !ends.includes(base)) {
    const gone: Summary = {
      base: 0,
      next: base,
      sizeBytes: 0,
      firstMs: 0,
      lastMs: 0,
      index: emptyIndex(),
      emissions: [],
      redrives: [],
      keys: [],
    }
    await writeSummary(settings.disk, directory, 0, encodeSummary(gone, settings.crc32c))
    summaries.set(0, gone)
  }
  const file = await settings.disk.open(logPath(directory, base), 'create')
  await file.close()
  return base
}

async function withFile<T>(settings: LogSettings, path: string, action: (file: DiskFile, sizeBytes: number) => Promise<T>): Promise<T> {
  const file = await settings.disk.open(path, 'read')
  try {
    return await action(file, await file.size())
  } finally {
    await file.close()
  }
}

/** The summary of a closed segment, read again from the segment unless it fits to what stands on the disk. */
async function trustedSummary(
  settings: LogSettings,
  directory: string,
  base: number,
  next: number,
  summaries: ReadonlyMap<number, Summary>,
): Promise<Summary> {
  const path = logPath(directory, base)
  const known = summaries.get(base)
  const stat = await settings.disk.stat(path)
  if (known && known.next === next && known.sizeBytes === stat?.sizeBytes) return known
  const scan = await withFile(settings, path, (file, sizeBytes) => scanSegment(file, base, sizeBytes, settings.crc32c))
  if (scan.segment.next !== next)
    throwCorrupt(path, scan.segment.sizeBytes, scan.damage ?? `it ends at offset ${scan.segment.next}, not ${next}`)
  const memory = new Memory()
  for (const [pipeline, last] of emissionsBefore(directory, base, summaries)) memory.emitted(pipeline, last)
  for (const [pipeline, last] of scan.memory.emissions) memory.emitted(pipeline, last)
  const { sizeBytes, firstMs, lastMs, index } = scan.segment
  const { redrives, keys } = scan.memory
  const range = { base, next, sizeBytes, firstMs, lastMs, index: index! }
  const summary: Summary = { ...range, emissions: [...memory.emissions], redrives: [...redrives], keys: keys.from(base) }
  await writeSummary(settings.disk, directory, base, encodeSummary(summary, settings.crc32c))
  settings.onEvent({ kind: 'log.reindexed', path: indexPath(directory, base) })
  return summary
}

/** Emission numbers before a segment: at the end of the one before it. */
function emissionsBefore(directory: string, base: number, summaries: ReadonlyMap<number, Summary>): Summary['emissions'] {
  if (base === 0) return []
  const before = [...summaries.values()].find((summary) => summary.next === base)
  return before ? before.emissions : throwCorrupt(logPath(directory, base), 0, 'the .idx of the segment before it is missing or damaged')
}

/** What the partition remembers from its closed segments. */
function recall(settings: LogSettings, summaries: Summary[]): Memory {
  const memory = new Memory()
  const keepMs = settings.clock.nowMs() - settings.idempotencyMs
  for (const summary of summaries.toSorted((a, b) => a.base - b.base)) {
    memory.recall(summary.keys.filter((entry) => entry.timeMs >= keepMs))
    for (const [origin, known] of summary.redrives) memory.redrives.set(origin, known)
    for (const [pipeline, last] of summary.emissions) memory.emitted(pipeline, last)
  }
  return memory
}

async function openLast(
  settings: LogSettings,
  directory: string,
  base: number,
  summary: Summary | undefined,
  closed: { segments: Segment[]; orphans: KnownIndex[]; memory: Memory },
): Promise<PartitionState> {
  const path = logPath(directory, base)
  const file = await settings.disk.open(path, 'write')
  try {
    return await recoverLast(settings, directory, file, base, summary, closed)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function recoverLast(
  { disk, crc32c, onEvent }: LogSettings,
  directory: string,
  file: DiskFile,
  base: number,
  summary: Summary | undefined,
  closed: { segments: Segment[]; orphans: KnownIndex[]; memory: Memory },
): Promise<PartitionState> {
  const { path } = file
  const sizeBytes = await file.size()
  const scan = await scanSegment(file, base, sizeBytes, crc32c)
  const good = scan.segment.sizeBytes
  if (good < (summary?.sizeBytes ?? 0)) throwCorrupt(path, good, scan.damage ?? `the file ends there, and had ${summary?.sizeBytes} bytes`)
  if (scan.damage) {
    if (await wasDurable(file, good, sizeBytes, crc32c)) throwCorrupt(path, good, scan.damage)
    await file.truncate(good)
    onEvent({ kind: 'log.truncated', path, position: good, bytes: sizeBytes - good })
  }
  await makeDurable(file, scan.groupPosition, good)
  await disk.syncDirectory(directory)
  closed.memory.recall(scan.memory.keys.from(base))
  for (const [origin, known] of scan.memory.redrives) closed.memory.redrives.set(origin, known)
  for (const [pipeline, last] of scan.memory.emissions) closed.memory.emitted(pipeline, last)
  const segments = [...closed.segments, good === 0 ? emptySegment(base) : scan.segment]
  return { segments, orphans: closed.orphans, memory: closed.memory, file }
}

/**
 * What was read may be in the page cache only, and after a sync that failed a page counts as clean although the disk does
 * not have it: a sync alone would prove nothing. So the last group, the only one that can be in doubt, is written again.
 */
async function makeDurable(file: DiskFile, groupPosition: number, sizeBytes: number): Promise<void> {
  if (groupPosition < sizeBytes) await file.write([await file.read(groupPosition, sizeBytes - groupPosition)], groupPosition)
  await file.sync()
}
