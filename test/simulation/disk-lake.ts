// A lake on the real disk with a catalog in memory, for tests of what reads and writes its files.
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import type { NamesIn } from '../../src/lake/lease.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import { modelCatalog } from './model-catalog.ts'

export const diskLake = (directory: string, namesIn?: NamesIn): Lake =>
  openLake({
    disk: nodeDisk,
    clock: systemClock,
    random: systemRandom,
    catalog: modelCatalog(),
    directory,
    ...(namesIn ? { namesIn } : {}),
  })
