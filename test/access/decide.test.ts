// Decisions: against the reference on random worlds, with the row filters evaluated by the engine; and the cases that matter.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { systemClock } from '../../src/core/clock.ts'
import type {
  GrantManifest,
  MaskKind,
  MasksManifest,
  PolicyManifest,
  PredicateManifest,
  PredicateValue,
} from '../../src/define/manifest.ts'
import { type Engine, openEngine, type Session } from '../../src/engine/duckdb.ts'
import { literal } from '../../src/engine/sql-text.ts'
import { decide, mayWrite } from '../../src/govern/decide.ts'
import type { Identity } from '../../src/govern/identity.ts'
import { ADMIN, caller, field, manifestOf, streamOf, tableOf, viewOf } from './fixture.ts'
import { randomRules } from './random-rules.ts'
import { type Row, readingRoles, seesColumn, seesRow } from './reference.ts'

const FIELDS = [
  field('name', 'string', { pii: 'email' }),
  field('level', 'int', { pii: 'id' }),
  field('place', { kind: 'enum', values: ['x', 'y'] }),
]
const RELATIONS = [tableOf('one', FIELDS), streamOf('two', FIELDS), tableOf('ns.three', FIELDS)]
const NAMES = RELATIONS.map((relation) => relation.name)
const TEXTS = ['x', 'y', "it's", '', '5', 'X']
const ROWS: Row[] = [...TEXTS, null].flatMap((name, index) =>
  [null, -1, 5].map((level) => ({ name, level, place: index % 3 === 0 ? null : index % 2 === 0 ? 'x' : 'y' })),
)

const roleName = fc.constantFrom('a', 'b', 'c')
const value = (isText: boolean): fc.Arbitrary<PredicateValue> =>
  fc.oneof(
    isText
      ? fc.constantFrom(...TEXTS).map((text): PredicateValue => ({ kind: 'constant', value: text, type: 'string' }))
      : fc
          .constantFrom<number | string>(-1, 0, 5, '5', 'no number')
          .map((number): PredicateValue => ({ kind: 'constant', value: number, type: 'int' })),
    fc.constantFrom('text', 'number', 'missing').map((name): PredicateValue => ({ kind: 'attribute', name })),
  )
const rule = randomRules(['name', 'level', 'place'], (column) => value(column !== 'level'))
const grant: fc.Arbitrary<GrantManifest> = fc.record({
  name: fc.constant('g'),
  at: fc.constant(''),
  to: fc.array(roleName, { maxLength: 2 }),
  on: fc.array(fc.constantFrom('*', 'main.*', 'ns.*', ...NAMES), { maxLength: 2 }),
  privilege: fc.constantFrom('read', 'read', 'write'),
})
const policy: fc.Arbitrary<PolicyManifest> = fc.record({
  name: fc.constant('p'),
  at: fc.constant(''),
  on: fc.constantFrom(...NAMES),
  to: roleName,
  rows: rule,
})
const masks: fc.Arbitrary<MasksManifest> = fc.record({
  name: fc.constant('m'),
  at: fc.constant(''),
  by: fc.dictionary(fc.constantFrom('email', 'id'), fc.constantFrom<MaskKind>('none', 'hash', 'null', 'redact', 'year', 'last4')),
  except: fc.array(roleName, { maxLength: 2 }),
})
const identity: fc.Arbitrary<Identity> = fc
  .array(fc.tuple(roleName, fc.record({ text: fc.constantFrom(...TEXTS), number: fc.constantFrom(-1, 5) }, { requiredKeys: [] })), {
    maxLength: 3,
  })
  .map((roles) => caller(...roles))
const world = fc.record({
  grants: fc.array(grant, { minLength: 2, maxLength: 5 }),
  policies: fc.array(policy, { minLength: 2, maxLength: 6 }),
  masks: fc.array(masks, { maxLength: 2 }),
  identity,
})

let engine: Engine
let session: Session
before(async () => {
  engine = await openEngine({ clock: systemClock, directories: [tmpdir()], tempDirectory: tmpdir() })
  session = await engine.session()
  const rows = ROWS.map((row) => `(${literal(row['name']!)}, ${literal(row['level']!)}, ${literal(row['place']!)})`)
  await session.run(`CREATE TABLE rows AS SELECT row_number() OVER () - 1 AS i, * FROM (VALUES ${rows.join(', ')}) v(name, level, place)`)
})
after(() => {
  session.close()
  engine.close()
})

test('decisions agree with the reference on random worlds', async () => {
  let filtered = 0
  await fc.assert(
    fc.asyncProperty(world, async ({ identity: who, ...access }) => {
      const manifest = manifestOf(RELATIONS, access)
      for (const name of NAMES) {
        const decision = decide(manifest, who, name)
        assert.equal(decision.readable, readingRoles(manifest, who, name).length > 0)
        if (!decision.readable) continue
        if (decision.rowFilter !== null) filtered++
        const { rows } = await session.rows(`SELECT i FROM rows WHERE ${decision.rowFilter ?? 'true'} ORDER BY i`)
        const expected = ROWS.flatMap((row, index) => (seesRow(manifest, who, name, row) ? [BigInt(index)] : []))
        assert.deepEqual(rows.flat(), expected, decision.rowFilter ?? '')
        for (const { name: column, pii } of FIELDS) assert.equal(decision.masks.get(column) ?? 'none', seesColumn(manifest, who, name, pii))
      }
    }),
    { numRuns: 400 },
  )
  assert.ok(filtered > 50, `only ${filtered} decisions had a filter`)
})

const access = (rows: PredicateManifest | null, kind: MaskKind | null) =>
  manifestOf(RELATIONS, {
    grants: [{ name: 'g', at: '', to: ['a'], on: ['*'], privilege: 'read' }],
    policies: rows ? [{ name: 'p', at: '', on: 'two', to: 'a', rows }] : [],
    masks: kind ? [{ name: 'm', at: '', by: { email: kind }, except: [] }] : [],
  })
const LEVEL: PredicateManifest = { kind: 'compare', column: 'level', op: '=', value: { kind: 'attribute', name: 'level' } }

test('what belongs to a stream follows it', () => {
  const manifest = access(LEVEL, 'hash')
  const who = caller(['a', { level: 5 }])
  assert.equal(decide(manifest, who, 'two').rowFilter, '((("level" = 5)))')
  assert.equal(decide(manifest, who, 'two__late').rowFilter, '((("level" = 5)))')
  assert.deepEqual(
    [...decide(manifest, who, 'two__late').masks],
    [
      ['name', 'hash'],
      ['level', 'null'],
    ],
  )
  const rejected = decide(manifest, who, 'two__rejected')
  assert.deepEqual([rejected.rowFilter, [...rejected.masks.keys()]], ['false', ['raw', 'message']])
  assert.equal(decide(access(null, 'hash'), who, 'two__rejected').rowFilter, null)
  assert.equal(decide(access(null, null), who, 'two__rejected').masks.size, 0)
  assert.equal(decide(manifest, caller(['b']), 'two__rejected').readable, false)
  // What a live model or a processor sets aside are rows of what they read: it takes the right to see those.
  const live = { ...viewOf('live', [field('n', 'long')], 'SELECT 1'), refresh: 'live' as const, inputs: ['two'] }
  const derived = { ...streamOf('derived', [field('n', 'long')]), source: 'processor' as const, processor: 'derived' }
  const open = { name: 'all', at: 'test:1', to: ['a', 'b'], on: ['live', 'derived'], privilege: 'read' as const }
  for (const world of [manifest, access(null, 'hash'), access(null, null)]) {
    const wider = {
      ...world,
      relations: [...world.relations, live, derived],
      processors: [{ kind: 'processor' as const, name: 'derived', at: 'test:1', from: 'two', state: {} }],
      grants: [...world.grants, open],
    }
    const own = decide(wider, who, 'two__rejected')
    for (const name of ['live__rejected', 'derived__rejected']) {
      const found = decide(wider, who, name)
      assert.deepEqual([found.rowFilter, [...found.masks]], [own.rowFilter, [...own.masks]], name)
      assert.equal(decide(wider, caller(['b']), name).readable, false, `${name}: b reads the results, not what they come from`)
      assert.ok(decide(wider, caller(['b']), name.replace('__rejected', '')).readable)
    }
  }
  assert.equal(decide(manifest, who, 'two__nothing').readable, false)
  assert.equal(decide(manifest, ADMIN, 'two__nothing').readable, false)
})

test('values that do not fit their column become NULL, and text stays text', () => {
  const filterOf = (level: unknown): string | null => decide(access(LEVEL, null), caller(['a', { level }]), 'two').rowFilter
  assert.equal(filterOf('7'), '((("level" = 7)))')
  for (const bad of ['7 OR true', '1e400', Number.NaN, {}, null, undefined, ['1', '2'], '0x10', '--1'])
    assert.equal(filterOf(bad), '((("level" = NULL)))', String(bad))
  const named: PredicateManifest = { kind: 'compare', column: 'name', op: '=', value: { kind: 'attribute', name: 'x' } }
  assert.equal(decide(access(named, null), caller(['a', { x: "' OR ''='" }]), 'two').rowFilter, `((("name" = ''' OR ''''='''::VARCHAR)))`)
  const gone: PredicateManifest = { kind: 'compare', column: 'no_such', op: '=', value: { kind: 'constant', value: 1, type: 'int' } }
  assert.equal(decide(access({ kind: 'not', of: gone }, null), caller(['a']), 'two').rowFilter, '(((NOT (NULL::BOOLEAN))))')
  assert.equal(decide(access(named, null), caller(['a', Object.create({ x: 'inherited' })]), 'two').rowFilter, '((("name" = NULL)))')
})

test('hashes differ when decisions do', () => {
  const hash = (manifest: ReturnType<typeof access>, level: number): string => decide(manifest, caller(['a', { level }]), 'two').hash
  const hashes = [
    hash(access(LEVEL, null), 1),
    hash(access(LEVEL, null), 2),
    hash(access(LEVEL, 'hash'), 1),
    hash(access(LEVEL, 'null'), 1),
    hash(access(null, null), 1),
  ]
  assert.equal(new Set(hashes).size, hashes.length)
})

test('writing needs a grant to write', () => {
  const manifest = manifestOf(RELATIONS, { grants: [{ name: 'g', at: '', to: ['a'], on: ['two'], privilege: 'write' }] })
  assert.equal(mayWrite(manifest, caller(['a']), 'two'), true)
  assert.equal(decide(manifest, caller(['a']), 'two').readable, false)
  assert.equal(mayWrite(manifest, caller(['a']), 'one'), false)
  assert.equal(mayWrite(manifest, caller(['b']), 'two'), false)
  assert.equal(mayWrite(manifest, ADMIN, 'one'), true)
})
