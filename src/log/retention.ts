// Removes the files of segments that retention has taken out of a partition. The oldest first, and each removal durable
// before the next: neither a crash nor an error may leave a gap. An `.idx` outlives its segment while its keys count, and
// while it is the state before the first segment.
import type { KnownIndex } from './partition-state.ts'
import { indexPath, logPath, type Segment } from './segment.ts'
import type { LogSettings } from './settings.ts'

export class Retention {
  readonly #settings: LogSettings
  readonly #directory: string
  /** Out of the readers' sight, not yet off the disk. */
  readonly #removed: Segment[] = []
  #orphans: KnownIndex[]
  #sweeping: Promise<unknown> = Promise.resolve()

  constructor(settings: LogSettings, directory: string, orphans: readonly KnownIndex[]) {
    this.#settings = settings
    this.#directory = directory
    this.#orphans = [...orphans]
  }

  /** Time of the last record in the last segment that is gone; 0 when none is known. */
  get lastMs(): number {
    return this.#removed.at(-1)?.lastMs ?? this.#orphans.at(-1)?.lastMs ?? 0
  }

  /** Removes these and what an earlier error left. `start` is the first offset that stays. Answers bytes freed. */
  remove(segments: readonly Segment[], start: number): Promise<number> {
    this.#removed.push(...segments)
    const swept = this.#sweeping.then(() => this.#sweep(start))
    this.#sweeping = swept.catch(() => {}) // the next sweep begins with what this one left
    return swept
  }

  async #sweep(start: number): Promise<number> {
    const { disk, onEvent } = this.#settings
    let freed = 0
    for (let segment = this.#removed[0]; segment; segment = this.#removed[0]) {
      const { base, next, lastMs, sizeBytes } = segment
      const path = logPath(this.#directory, base)
      await disk.remove(path)
      await disk.syncDirectory(this.#directory)
      this.#removed.shift()
      this.#orphans.push({ base, next, lastMs })
      onEvent({ kind: 'log.removed', path, bytes: sizeBytes })
      freed += sizeBytes
    }
    await this.#removeOrphans(start)
    return freed
  }

  async #removeOrphans(start: number): Promise<void> {
    const keepMs = this.#settings.clock.nowMs() - this.#settings.idempotencyMs
    const isNeeded = (orphan: KnownIndex) => orphan.lastMs >= keepMs || orphan.next >= start
    for (const orphan of this.#orphans.filter((each) => !isNeeded(each))) {
      await this.#settings.disk.remove(indexPath(this.#directory, orphan.base))
      this.#orphans = this.#orphans.filter((each) => each !== orphan)
    }
  }
}
