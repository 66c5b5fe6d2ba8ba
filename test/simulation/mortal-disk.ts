// One process's view of a shared disk: the process dies at one of its calls and the disk lives on. What it had begun may
// be done or not; it never does anything again.
import type { Disk, DiskFile } from '../../src/core/disk.ts'
import { SimulatedCrash } from './fake-disk.ts'

export interface Mortal {
  /** Calls until death; infinite for one that lives. */
  left: number
}

/** Throws when the process has died; counts a call of it. */
export function live(mortal: Mortal): void {
  if (mortal.left-- <= 0) throw new SimulatedCrash('the process is dead')
}

export function mortalDisk(disk: Disk, mortal: Mortal): Disk {
  const wrapFile = (file: DiskFile): DiskFile => ({
    ...wrap(file, ['read', 'write', 'sync', 'truncate', 'size', 'close']),
    path: file.path,
  })
  const wrap = <T extends object>(target: T, names: readonly (keyof T & string)[]): T =>
    Object.fromEntries(
      names.map((name) => [
        name,
        async (...args: unknown[]) => {
          live(mortal)
          const result = await (target[name] as (...args: unknown[]) => Promise<unknown>).apply(target, args)
          live(mortal)
          return name === 'open' ? wrapFile(result as DiskFile) : result
        },
      ]),
    ) as unknown as T
  const names = ['open', 'readFile', 'writeNew', 'syncDirectory', 'makeDirectory', 'list', 'stat', 'rename', 'remove'] as const
  return wrap(disk, names)
}
