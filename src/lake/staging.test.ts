// What is left of staged files: those of commits that lost go once they are old, those on their way stay.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeDisk } from '../../test/simulation/fake-disk.ts'
import { VirtualClock } from '../core/clock.ts'
import { seededRandom } from '../core/random.ts'
import { Staging, type StagingParts } from './staging.ts'

test('a sweep removes what is old and on no way to a commit', async () => {
  const clock = new VirtualClock(1_000_000)
  const disk = new FakeDisk(seededRandom(1), { nowMs: () => clock.nowMs() })
  const staging = new Staging({ disk, directory: '/srv/staging' } as unknown as StagingParts)
  const directory = staging.directoryFor('s3://lake/orders/data')
  await disk.makeDirectory(directory)
  const write = async (name: string): Promise<void> => {
    const file = await disk.open(`${directory}/${name}.parquet`, 'create')
    await file.write([Buffer.from('rows')], 0)
    await file.close()
  }
  for (const name of ['lost', 'coming']) await write(name)
  await clock.advance(10_000)
  await write('young')
  const isOnItsWay = (target: string): boolean => target === 's3://lake/orders/data/coming.parquet'
  assert.deepEqual(await staging.sweep(clock.nowMs() - 5_000, isOnItsWay), { files: 1, bytes: 4 })
  assert.deepEqual([...(await disk.list(directory))].sort(), ['coming.parquet', 'young.parquet'])
  assert.deepEqual(await staging.sweep(clock.nowMs() - 5_000, isOnItsWay), { files: 0, bytes: 0 })
})
