// What is said of encryption: nothing where nothing is encrypted; no master key, another one, one of before, one too many; a file
// of data keys that cannot be read, or was changed.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { systemRandom } from '../core/random.ts'
import { openKeyRing } from '../objects/seal/key-ring.ts'
import { keysFile } from './data-directory.ts'
import { diagnoseKeys } from './diagnose-keys.ts'
import { addMasterKey } from './key-file.ts'
import { readMasterKeys } from './master-keys.ts'

const place = mkdtempSync(join(tmpdir(), 'diagnose-'))
after(() => rmSync(place, { recursive: true }))
const [file, other] = [join(place, 'master.keys'), join(place, 'other.keys')]
const environment = { MILLRACE_KEY_FILE: file }
const says = (expected: 'ok' | 'warn' | 'bad', detail: RegExp, from: Record<string, string> = environment, relations = ['visits']) =>
  diagnoseKeys(place, new Set(relations), from).then((found) => {
    assert.equal(found?.state, expected, found?.detail)
    assert.match(found.detail, detail)
    assert.equal(found.fix === undefined, expected === 'ok')
  })
const ring = () =>
  openKeyRing({
    disk: nodeDisk,
    clock: systemClock,
    random: systemRandom,
    path: keysFile(place),
    masters: readMasterKeys(environment),
  })

test('keys are diagnosed as a start would find them', async () => {
  assert.equal(await diagnoseKeys(place, new Set(), {}), null)
  await says('bad', /0 data keys of 1 encrypted relations, and no master key here$/, {})
  const first = addMasterKey(file)
  await says('ok', new RegExp(`0 data keys of 1 .*${first}`))
  await (await ring()).forWriting('visits')
  await says('ok', /1 data keys of 2 encrypted relations/, environment, ['visits', 'people'])
  await says('bad', new RegExp(`no master key here: ${first}`), {}, [])
  await says('bad', /master\.keys.* are both set|both set/, { ...environment, MILLRACE_KEYS: 'x' })
  await says('bad', /cannot be read/, { MILLRACE_KEY_FILE: join(place, 'nowhere') })
  addMasterKey(other)
  await says('bad', new RegExp(`${first} is not here`), { MILLRACE_KEY_FILE: other })
  const second = addMasterKey(file)
  await says('warn', new RegExp(`${first} of before still wraps`))
  await (await ring()).rotate()
  await says('warn', new RegExp(`${first} wraps nothing any more`))
  writeFileSync(file, readFileSync(file, 'utf8').split('\n')[0]!, { mode: 0o600 })
  await says('ok', new RegExp(`2 data keys of 1 encrypted relations, wrapped by ${second}`))
  const whole = readFileSync(keysFile(place), 'utf8')
  writeFileSync(keysFile(place), whole.replace(/"wrapped": "..../, '"wrapped": "AAAA'))
  await says('bad', /the data key .* of visits/)
  writeFileSync(keysFile(place), whole.slice(0, 100))
  await says('bad', /keys\.json cannot be read/)
})
