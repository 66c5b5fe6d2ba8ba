// The golden tables of Spark (test/corpora/iceberg) relocated: position deletes, deletion vectors, equality deletes and every retained
// snapshot are read row for row as Spark reads them, at the new place, with the old one gone.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { movePositions } from '../../src/engine/move-positions.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { openLake } from '../../src/lake/open-lake.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'
import { compareTables, readExpected } from './foreign-tables.ts'

const CORPUS = join(dirname(dirname(fileURLToPath(import.meta.url))), 'corpora', 'iceberg')
const FROM = 'iceberg'

for (const copy of [true, false]) {
  test(`golden tables, ${copy ? 'copied' : 'in place'}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-relocation-'))
    const [from, to] = [join(directory, FROM), join(directory, 'new')]
    const started = process.cwd()
    // The tables name their files relative to the directory in which this is.
    process.chdir(directory)
    await using engine = await openTestEngine()
    try {
      cpSync(CORPUS, copy ? from : to, { recursive: true })
      const expected = readExpected(CORPUS)
      const catalog = modelCatalog()
      const tables = Object.entries(expected).map(([name, { metadata }]) => ({ name, from: null, to: metadata, snapshotId: null }))
      await catalog.commit({ tables, nowMs: 0 })
      const formerly = [FROM]
      const lake = openLake({ disk: nodeDisk, clock: systemClock, random: systemRandom, catalog, directory: to, formerly })
      const rewritePositions = (bytes: Buffer, move: { from: string; to: string }) => movePositions(engine.engine, bytes, move)
      const asked = { from: FROM, to, copy, rewritePositions, spool: directory }
      const planned = await lake.relocate({ ...asked, dryRun: true })
      assert.equal((await catalog.table(tables[0]!.name))?.location, tables[0]!.to)
      const done = await lake.relocate({ ...asked, removeOld: true })
      assert.deepEqual({ ...planned, removed: 0, rewritten: 0 }, { ...done, removed: 0, rewritten: 0 })
      assert.ok(done.tables >= 5 && done.files >= 20 && done.bytes > 0 && done.removed > 0, JSON.stringify(done))
      rmSync(from, { recursive: true, force: true })
      for (const { name } of tables) {
        const { snapshots } = await lake.check(name)
        assert.deepEqual(
          snapshots.flatMap(({ damage }) => damage),
          [],
          name,
        )
      }
      const pointers = new Map((await catalog.tables()).map(({ name, location }) => [name, location]))
      const moved = Object.entries(expected).map(([name, table]) => [name, { ...table, metadata: pointers.get(name)! }])
      writeFileSync(join(to, 'expected.json'), JSON.stringify(Object.fromEntries(moved)))
      assert.ok((await compareTables(to)) >= 30)
      // Nothing that is not compressed speaks of the old place.
      for (const location of pointers.values()) assert.ok(!readFileSync(location.replace('file://', ''), 'utf8').includes(`"${FROM}/`))
      assert.ok(readdirSync(to).length > 0)
    } finally {
      process.chdir(started)
      rmSync(directory, { recursive: true, force: true })
    }
  })
}
