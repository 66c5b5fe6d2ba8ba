// The second walk, as text: definitions -> manifest -> diff -> plan, over the project whose types test/types checks.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Manifest, ModelManifest, Relation, StreamManifest } from '../../src/define/manifest.ts'
import { type Compiled, compile } from '../../src/plan/compile.ts'
import { printEnv } from '../../src/plan/env.ts'
import { openBinder } from '../../src/plan/open-binder.ts'
import { plan, printPlan } from '../../src/plan/plan.ts'
import { loadProject } from '../../src/runtime/load.ts'
import { assertGolden } from './golden.ts'

const directory = join(dirname(dirname(fileURLToPath(import.meta.url))), 'types', 'shop')
let shop: Compiled

before(async () => {
  const binder = await openBinder()
  const { project } = await loadProject(directory)
  shop = await compile(project, binder, { root: directory })
  binder.close()
})

test('the shop compiles', () => {
  assert.deepEqual(shop.findings, [])
  assertGolden('shop-manifest.json', `${JSON.stringify(shop.manifest, null, 2)}\n`)
})

test('the env file is the one that the types are checked with', () => {
  assert.equal(printEnv(shop.manifest), readFileSync(join(directory, 'millrace-env.d.ts'), 'utf8'))
})

test('the first plan', () => assertGolden('plan-first.txt', printPlan(plan(null, shop.manifest))))

test('nothing to do', () => {
  const moved = JSON.parse(JSON.stringify(shop.manifest).replaceAll(/"at":"([^":]+):(\d+)"/g, '"at":"$1:999"')) as Manifest
  assert.deepEqual(plan(moved, shop.manifest), { changes: [], steps: [], refused: [] })
})

const change = <R extends Relation>(manifest: Manifest, name: string, edit: (relation: R) => Partial<R>): Manifest => ({
  ...manifest,
  relations: manifest.relations.map((relation) =>
    relation.name === name ? ({ ...relation, ...edit(relation as R) } as Relation) : relation,
  ),
})

/** The deployed manifest is the shop's, changed backwards: the plan then leads to the shop. */
const deployed: Readonly<Record<string, (shop: Manifest) => Manifest>> = {
  'a column is added to a stream': (m) =>
    change(m, 'clicks', ({ shape }) => ({ shape: { fields: shape.fields.filter(({ name }) => name !== 'product') } })),
  'a required column is added to a stream': (m) =>
    change(m, 'clicks', ({ shape }) => ({ shape: { fields: shape.fields.filter(({ name }) => name !== 'ip') } })),
  'a column is removed from a table': (m) =>
    change(m, 'orders', ({ shape }) => ({
      shape: { fields: [...shape.fields, { name: 'note', type: { kind: 'string' }, optional: true }] },
    })),
  'an enum has more values': (m) =>
    change(m, 'clicks', ({ shape }) => ({
      shape: {
        fields: shape.fields.map((field) =>
          field.name === 'page' ? { ...field, type: { kind: 'enum', values: ['home', 'cart'] } } : field,
        ),
      },
    })),
  'a decimal is wider': (m) =>
    change(m, 'orders', ({ shape }) => ({
      shape: {
        fields: shape.fields.map((field) =>
          field.name === 'amount' ? { ...field, type: { kind: 'decimal', precision: 10, scale: 2 } } : field,
        ),
      },
    })),
  'a type changes that rows cannot take': (m) =>
    change(m, 'orders', ({ shape }) => ({
      shape: { fields: shape.fields.map((field) => (field.name === 'amount' ? { ...field, type: { kind: 'double' } } : field)) },
    })),
  'a tag is added': (m) => change(m, 'customers', ({ shape }) => ({ shape: { fields: shape.fields.map(({ pii, ...field }) => field) } })),
  'a stream has another key': (m) => change<StreamManifest>(m, 'clicks', () => ({ key: 'customer' })),
  'a stream is kept shorter, and takes less lateness': (m) =>
    change<StreamManifest>(m, 'clicks', ({ keep }) => ({ keep: { logMs: keep.logMs }, latenessMs: 0 })),
  'a model has other SQL': (m) => change<ModelManifest>(m, 'daily_revenue', () => ({ sql: { text: 'SELECT 1', params: [] } })),
  'a model was a view': (m) => change<ModelManifest>(m, 'daily_revenue', () => ({ refresh: 'view' })),
  'a view has other SQL': (m) => change<ModelManifest>(m, 'pairs', () => ({ sql: { text: 'SELECT 1', params: [] } })),
  'a live model groups differently': (m) => change<ModelManifest>(m, 'views_per_minute', () => ({ sql: { text: 'SELECT 1', params: [] } })),
  'a processor has another state': (m) => ({
    ...m,
    processors: m.processors.map((processor) => ({ ...processor, state: { cards: { kind: 'moments' }, old: { kind: 'moments' } } })),
  }),
  'access changes and a role is new': (m) => ({ ...m, roles: [], grants: [], masks: m.masks.map((masks) => ({ ...masks, by: {} })) }),
  'an endpoint returns less and asks for more': (m) => ({
    ...m,
    endpoints: m.endpoints.map((endpoint) => ({
      ...endpoint,
      params: { fields: endpoint.params.fields.filter(({ name }) => name !== 'since') },
      result: { fields: [...endpoint.result.fields, { name: 'more', type: { kind: 'int' }, optional: false }] },
    })),
  }),
  'things are gone': (m) => ({
    ...m,
    relations: [...m.relations, { ...m.relations[0]!, name: 'old_base' }, { ...(m.relations.at(-1) as ModelManifest), name: 'old_model' }],
    jobs: [...m.jobs, { ...m.jobs[0]!, name: 'old_job' }],
    endpoints: [...m.endpoints, { ...m.endpoints[0]!, name: 'GET /old' }],
  }),
  'a table was a stream': (m) => change(m, 'orders', () => ({ kind: 'stream' }) as Partial<Relation>),
}

test('plans of changes', () => {
  const text = Object.entries(deployed).map(([name, edit]) => `# ${name}\n${printPlan(plan(edit(shop.manifest), shop.manifest))}`)
  assertGolden('plan-changes.txt', text.join('\n'))
})
