// Golden tables with bytes that were changed, cut or left out at random: what comes is an answer or an error of ours, nothing
// else is thrown. Of deletion vectors, which carry a checksum, no changed one is ever read; Avro and JSON carry none.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { VirtualClock } from '../../src/core/clock.ts'
import { type Disk, nodeDisk } from '../../src/core/disk.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { openLake } from '../../src/lake/open-lake.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'
import { readExpected } from './foreign-tables.ts'

// The tables name their files relative to this directory.
process.chdir(join(dirname(dirname(fileURLToPath(import.meta.url))), 'corpora'))

/** The disk with one file changed. */
const changedDisk = (path: string, bytes: Buffer): Disk => ({
  ...nodeDisk,
  readFile: async (asked) => (asked === path ? bytes : nodeDisk.readFile(asked)),
})

function mutate(random: Random, bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  const at = integer(random, bytes.length)
  switch (integer(random, 4)) {
    case 0:
      return changed.subarray(0, at)
    case 1:
      return Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + integer(random, 20))])
    case 2:
      return changed.fill(integer(random, 256), at, Math.min(bytes.length, at + 1 + integer(random, 40)))
    default:
      changed[at]! ^= 1 << integer(random, 8)
      return changed
  }
}

async function readAll(disk: Disk, name: string): Promise<string> {
  const lake = openLake({ disk, clock: new VirtualClock(0), random: seededRandom(1), catalog: modelCatalog(), directory: 'iceberg' })
  const table = await lake.at({ name, location: readExpected('iceberg')[name]!.metadata, snapshotId: null })
  const files = await lake.files(table)
  return JSON.stringify([table.uuid, files.map(({ path, rows, deletes }) => [path, rows, deletes?.vector?.positions.length])])
}

for (const name of ['vectors', 'equality', 'positions_by_partition']) {
  test(`${name}: metadata, lists, manifests and vectors with changed bytes`, async () => {
    const random = seededRandom(7)
    const folder = `iceberg/t/${name}`
    const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((path) => `${folder}/${path}`)
      .filter((path) => /\.(avro|json|puffin)$/.test(path))
    const whole = await readAll(nodeDisk, name)
    const [refused, codes] = [new Set<string>(), new Set<string>()]
    for (const path of paths) {
      for (let round = 0; round < 15; round++) {
        const disk = changedDisk(path, mutate(random, readFileSync(path)))
        try {
          const found = await readAll(disk, name)
          assert.ok(found === whole || !path.endsWith('.puffin'), `${path} was changed and is read`)
        } catch (error) {
          assert.ok(error instanceof MillraceError, `${path}: ${String(error)} ${(error as Error).stack}`)
          assert.notEqual(error.code, 'MR_INTERNAL')
          codes.add(error.code)
          refused.add(path)
        }
      }
    }
    assert.ok(refused.size > 5, `only ${refused.size} files were refused`)
    assert.ok(codes.has('MR_LAKE_CORRUPT'), [...codes].join())
  })
}
