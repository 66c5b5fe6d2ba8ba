// The code of a project: the functions that processors call, by name, and the fingerprint of the files that it came from.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Project } from '../define/project.ts'
import type { OnBroadcast, OnRow, OnTimer, ProcessorCode } from '../stream/processor/host.ts'

/** User code of processors, by name. */
export function processorsOf(project: Project): Map<string, ProcessorCode> {
  const found = new Map<string, ProcessorCode>()
  for (const { definition } of project.$members) {
    const { $kind, $name } = definition
    const how = (
      definition as {
        $how?: { on?: unknown; onTimer?: Readonly<Record<string, OnTimer>>; onBroadcast?: Readonly<Record<string, OnBroadcast>> }
      }
    ).$how
    // Called as members, so that `this` is what it looks like.
    if ($kind === 'stream' && typeof how?.on === 'function') {
      const { on } = how as { on: OnRow }
      found.set($name, { on: on.bind(how), onTimer: how.onTimer ?? {}, onBroadcast: how.onBroadcast ?? {} })
    }
  }
  return found
}

/** Of the contents of files. */
export function fingerprintOf(files: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of [...files].sort()) hash.update(readFileSync(file))
  return hash.digest('hex').slice(0, 12)
}
