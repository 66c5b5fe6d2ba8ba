// The console in a browser, over the fixture: every route in both themes at 1280 and 390 px without an error, sideways scroll,
// weak contrast or layout shift; then what it does: sign in, keys, questions, live figures, cut off, refused, SQL.
// Screenshots go to test-artifacts/console/. Skipped, with the reason, where no Chromium can be had.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type Browser, type BrowserContext, chromium, type Page, type Request } from 'playwright-core'
import { CHROMIUM_ARGS, findChromium } from '../../scripts/servers/chromium.ts'
import { weakTexts } from './contrast.ts'
import { WEEK_SQL } from './fixture-data.ts'
import { type Fixture, startFixture, TOKEN } from './fixture-server.ts'

const artifacts = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'test-artifacts', 'console')
const FIRST_PAGE_BYTES = 180_000
/** Layout shift of a page's load that nobody sees: the budget is 0, measured to the second digit. */
const SHIFT = 0.005
/** What a text may move inside its own cell when its age gets another unit. */
const TICK = 0.0005
const SETTLE_MS = 10_000
const STEP_MS = 8000
const WIDTHS = [1280, 390] as const
const THEMES = ['light', 'dark'] as const
const sqlLink = `/sql?run=true&q=${encodeURIComponent(WEEK_SQL)}`
const ROUTES: readonly (readonly [name: string, path: string])[] = [
  ['overview', '/'],
  ['data', '/data'],
  ['relation', '/data/daily_revenue'],
  ['relation-late', '/data/products'],
  ['relation-stream', '/data/clicks'],
  ['rows', '/data/daily_revenue/rows'],
  ['rows-many', '/data/orders/rows?order=amount&desc=true'],
  ['schema', '/data/daily_revenue/schema'],
  ['quality', '/data/orders/quality'],
  ['quality-none', '/data/suspects/quality'],
  ['snapshots', '/data/daily_revenue/snapshots'],
  ['relation-lineage', '/data/daily_revenue/lineage?mode=columns&column=revenue'],
  ['lineage', '/lineage'],
  ['lineage-column', '/lineage?node=relation:daily_revenue&column=revenue&mode=columns'],
  ['lineage-sink', '/lineage?node=sink:facts_out'],
  ['lineage-sink-stopped', '/lineage?node=sink:suspects_out'],
  ['streams', '/streams'],
  ['stream', '/streams/clicks'],
  ['runs', '/runs'],
  ['run', '/runs/4812'],
  ['sql', sqlLink],
  ['dashboards', '/dashboards'],
  ['dashboard', '/dashboards/operations'],
  ['unknown', '/data/nowhere'],
]

const found = findChromium()
const skip = found.path === null ? found.why : false
let browser: Browser
let fixture: Fixture

before(async () => {
  if (found.path === null) return
  mkdirSync(artifacts, { recursive: true })
  fixture = await startFixture()
  browser = await chromium.launch({ executablePath: found.path, args: [...CHROMIUM_ARGS] })
})
after(async () => {
  await browser?.close()
  await fixture?.close()
})

interface Tab {
  readonly page: Page
  readonly context: BrowserContext
  /** What the browser complained about, and requests to other origins. */
  readonly complaints: string[]
}

/** A tab that is signed in. `expected` complaints (a refused answer, say) are left out. */
async function openTab(options: { theme?: 'light' | 'dark'; width?: number; expected?: RegExp } = {}): Promise<Tab> {
  const { theme = 'light', width = 1280, expected = /(?!)/ } = options
  const context = await browser.newContext({
    viewport: { width, height: width < 700 ? 844 : 800 },
    colorScheme: theme,
    locale: 'en-GB',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(STEP_MS)
  watchRequests(page)
  const complaints: string[] = []
  const complain = (text: string): void => void (expected.test(text) || complaints.push(text))
  page.on('console', (message) => (message.type() === 'error' || message.type() === 'warning' ? complain(message.text()) : undefined))
  page.on('pageerror', (error) => complain(String(error.stack)))
  page.on('request', (request) => {
    if (!request.url().startsWith(fixture.url)) complain(`request to ${request.url()}`)
  })
  await page.addInitScript(`
    window.shifts = []
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push([entry.value, entry.startTime, entry.sources.map((source) => source.node && (source.node.className || source.node.nodeName)).join(' | ')]) }).observe({ type: 'layout-shift', buffered: true })`)
  await page.goto(`${fixture.url}/console/#token=${TOKEN}`)
  await settled(page)
  return { page, context, complaints }
}

const underWay = new WeakMap<Page, Set<Request>>()

/** Counts the page's requests, the endless one of events left out. */
function watchRequests(page: Page): void {
  const open = new Set<Request>()
  underWay.set(page, open)
  page.on('request', (request) => (request.url().endsWith('/admin/events') ? undefined : open.add(request)))
  page.on('requestfinished', (request) => open.delete(request))
  page.on('requestfailed', (request) => open.delete(request))
}

/** Whether every graph on the page shows its nodes. */
const DRAWN = `[...document.querySelectorAll('.lin-box')].every((box) => box.offsetParent === null || box.querySelector('.react-flow__node[style*="visibility: visible"]'))`

/** The page has its title and no skeleton, nothing is being fetched, and charts had two frames to be drawn. */
async function settled(page: Page): Promise<void> {
  const deadline = performance.now() + SETTLE_MS
  for (let quiet = 0; quiet < 2; ) {
    assert.ok(performance.now() < deadline, `${page.url()} did not settle`)
    const ready = await page.evaluate(
      `document.querySelector('h1') !== null && document.querySelector('.late-show, .chart-box:not(:has(canvas, table))') === null && ${DRAWN} && document.fonts.status === 'loaded'`,
    )
    quiet = ready === true && underWay.get(page)?.size === 0 ? quiet + 1 : 0
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
  }
}

const visit = async (page: Page, path: string): Promise<void> => {
  await page.goto(`${fixture.url}/console${path}`)
  await settled(page)
}
const textOf = async (page: Page, selector: string): Promise<string> =>
  (await page.locator(selector).first().innerText()).replace(/\s+/g, ' ')
/** Sum of layout shifts since the page was loaded, or since `fromMs`. */
const shiftOf = async (page: Page, from = 0): Promise<{ sum: number; what: string }> => {
  const shifts = ((await page.evaluate('window.shifts')) as [number, number, string][]).filter(([, at]) => at >= from)
  return { sum: shifts.reduce((sum, [value]) => sum + value, 0), what: JSON.stringify(shifts) }
}

for (const width of WIDTHS)
  test(`every route in both themes, ${width} px`, { skip, timeout: 120_000 }, async () => {
    const { page, context, complaints } = await openTab({ width, expected: /404 \(Not Found\)/ })
    let looked = 0
    for (const [name, path] of ROUTES) {
      await page.emulateMedia({ colorScheme: 'light' })
      await visit(page, path)
      const shift = await shiftOf(page)
      assert.ok(shift.sum < SHIFT, `${name} shifts by ${shift.sum}: ${shift.what}`)
      const size = (await page.evaluate(
        '[document.documentElement.scrollWidth, window.innerWidth, document.querySelectorAll("h1").length, document.querySelectorAll("main").length]',
      )) as number[]
      assert.ok(size[0]! <= size[1]!, `${name} scrolls sideways: ${size[0]} > ${size[1]}`)
      assert.deepEqual(size.slice(2), [1, 1], `${name} has one h1 and one main`)
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme })
        await settled(page)
        await page.screenshot({ path: join(artifacts, `${name}-${theme}-${width}.png`) })
        const { weak, looked: texts } = await weakTexts(page)
        assert.deepEqual(weak, [], `${name}, ${theme}, has weak texts`)
        looked += texts
      }
      assert.deepEqual(complaints, [], `${name} complains`)
    }
    assert.ok(looked > 1000, `looked at ${looked} texts only`)
    await context.close()
  })

test('the first page needs at most 180 KB of compressed script, all of it from its own origin', { skip }, async () => {
  const context = await browser.newContext({ locale: 'en-GB' })
  const page = await context.newPage()
  watchRequests(page)
  const sizes: number[] = []
  page.on('response', async (response) => {
    if (response.url().endsWith('.js')) sizes.push(gzipSync(await response.body()).length)
  })
  await page.goto(`${fixture.url}/console/#token=${TOKEN}`)
  await settled(page)
  const sum = sizes.reduce((total, size) => total + size, 0)
  assert.ok(sizes.length >= 3 && sum > 50_000, `saw ${sizes.length} scripts, ${sum} bytes`)
  assert.ok(sum <= FIRST_PAGE_BYTES, `${sum} bytes`)
  await context.close()
})

test('the token leaves the address; without one the page says where to get it', { skip }, async () => {
  const { page, context } = await openTab()
  assert.equal(page.url(), `${fixture.url}/console/`)
  assert.equal(await page.evaluate('sessionStorage.getItem("millrace.token")'), TOKEN)
  await context.close()
  const stranger = await openTab({ expected: /401/ })
  await stranger.page.evaluate('sessionStorage.clear()')
  await visit(stranger.page, '/')
  assert.equal(await textOf(stranger.page, 'h1'), 'You are not signed in')
  await stranger.page.getByLabel('Token').fill(TOKEN)
  await stranger.page.getByRole('button', { name: 'Sign in' }).click()
  await stranger.page.getByRole('heading', { level: 1, name: '10 of 12 relations are fresh' }).waitFor()
  assert.deepEqual(stranger.complaints, [])
  await stranger.context.close()
})

test('three questions from the first page in at most three clicks', { skip }, async () => {
  const { page, context, complaints } = await openTab()
  assert.equal(await textOf(page, 'h1'), '10 of 12 relations are fresh')
  assert.match(await textOf(page, '.sub'), /^One source is down since 11:31 and holds back one model\. No event was lost\.$/)
  // What broke and why? One click.
  await page.getByRole('link', { name: 'Open run 4812' }).click()
  await page.getByText('products.load: the product API answered 503 in 3 of 3 tries.').waitFor()
  assert.match(await textOf(page, '.rd .sub'), /1 of 9 steps failed, 2 were skipped, 6 are done\. Resuming runs 3 steps and repeats none\./)
  await page.getByText('nothing was committed', { exact: false }).first().waitFor()
  await page.getByRole('button', { name: 'Resume from failure' }).click()
  await page.getByRole('link', { name: 'Run 4817' }).waitFor()
  assert.equal(fixture.started.length, 1)
  // Where does this number come from? Three clicks.
  await visit(page, '/')
  await page.getByRole('link', { name: 'daily_revenue' }).first().click()
  await page.getByRole('navigation', { name: 'daily_revenue' }).getByRole('link', { name: 'Lineage' }).click()
  await page.getByRole('button', { name: 'revenue', exact: true }).click()
  await page.locator('.react-flow__edge.value').first().waitFor()
  assert.match(await textOf(page, 'tr[data-selected="true"]'), /revenue orders\.amount sum\(orders\.amount\)/)
  assert.deepEqual(complaints, [])
  await context.close()
})

test('lineage: a sink stands behind its relation, and says what it writes and what stops it', { skip }, async () => {
  const { page, context, complaints } = await openTab()
  await visit(page, '/lineage?node=sink:facts_out')
  await page.getByLabel('sink facts_out').waitFor()
  const panel = await textOf(page, '.side')
  for (const text of [
    'Name shop.facts',
    'Format avro',
    'Message key order',
    'Rows not written yet 1,204',
    '1,204 rows behind',
    'order_facts',
  ])
    assert.ok(panel.includes(text), `${text}: ${panel}`)
  await page.getByLabel('sink suspects_out').click()
  await page.getByText('the topic "shop.suspects" does not exist on bus').waitFor()
  const stopped = await textOf(page, '.side')
  for (const text of ['Stopped', 'MR_KAFKA_TOPIC', 'To fix: create the topic', 'Message key none', 'Rows not written yet –'])
    assert.ok(stopped.includes(text), `${text}: ${stopped}`)
  await visit(page, '/data/order_facts/lineage')
  await page.getByLabel('sink facts_out').click()
  await page.getByText('What the warehouse team reads.').waitFor()
  assert.deepEqual(complaints, [])
  await context.close()
})

test('keys alone: pages, rows, tabs, filter, finder, list of keys; the title takes the focus', { skip }, async () => {
  const { page, context, complaints } = await openTab()
  const focused = (): Promise<string> =>
    page.evaluate('document.activeElement.tagName + " " + document.activeElement.innerText') as Promise<string>
  await page.keyboard.press('g')
  await page.keyboard.press('d')
  await page.getByRole('heading', { level: 1, name: 'Data' }).waitFor()
  assert.equal(await focused(), 'H1 Data')
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'payments' }).waitFor()
  await page.keyboard.press(']')
  await page.waitForURL('**/data/payments/rows')
  await page.locator('[data-filter]').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('amount > 10')
  await page.keyboard.press('Enter')
  await page.waitForURL('**filter=*')
  await page.keyboard.press('Control+k')
  await page.getByRole('textbox', { name: 'Find' }).fill('order_f')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'order_facts' }).waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog').getByText('find a relation, column, run or page').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await page.keyboard.press('Tab')
  assert.notEqual(await page.evaluate('getComputedStyle(document.activeElement).boxShadow'), 'none', 'the focus ring is drawn')
  assert.deepEqual(complaints, [])
  await context.close()
})

test('live: figures change in place, new runs wait, nothing moves', { skip }, async () => {
  fixture.scenario = 'shop'
  const { page, context, complaints } = await openTab()
  await page.getByText('Live ·').waitFor()
  const from = (await page.evaluate('performance.now()')) as number
  const row = page.getByRole('row', { name: /^clicks/ })
  for (let rows = 1631907; rows <= 1631909; rows++) {
    fixture.bump()
    fixture.change([['relation', 'clicks'], ['run']])
    await row.getByText(rows.toLocaleString('en-GB')).waitFor()
  }
  const shift = await shiftOf(page, from)
  assert.ok(shift.sum < TICK, shift.what)
  fixture.scenario = 'shop'
  await visit(page, '/runs')
  fixture.bump()
  fixture.change([['run']])
  await page.getByRole('button', { name: '1 new run' }).waitFor()
  assert.equal(
    await page
      .locator('.ri')
      .first()
      .innerText()
      .then((text) => text.includes('4816')),
    true,
  )
  await page.keyboard.press('.')
  await page.locator('.ri', { hasText: '4817' }).waitFor()
  assert.deepEqual(complaints, [])
  fixture.scenario = 'shop'
  await context.close()
})

test('cut off: values stay, the line says so, and it recovers by itself', { skip, timeout: 30_000 }, async () => {
  const { page, context } = await openTab()
  await page.getByText('Live ·').waitFor()
  fixture.down()
  await page.getByText('Not connected for').waitFor()
  await page.screenshot({ path: join(artifacts, 'cut-off-light-1280.png') })
  assert.equal(await textOf(page, 'h1'), '10 of 12 relations are fresh')
  fixture.up()
  await page.getByText('Live ·').waitFor()
  assert.equal(await page.getByText('Not connected for').count(), 0)
  await context.close()
})

test('empty, refused and failing answers each have their state, in the place of the answer', { skip, timeout: 60_000 }, async () => {
  const { page, context, complaints } = await openTab({ expected: /\b(403|404|500)\b/ })
  const pages = ['/', '/data', '/lineage', '/streams', '/runs', '/dashboards']
  fixture.scenario = 'empty'
  for (const path of pages) {
    await visit(page, path)
    assert.match(await textOf(page, 'main'), /no relation yet|Nothing ran|no stream yet|no dashboard|nothing to show yet/i, path)
    if (path === '/') await page.screenshot({ path: join(artifacts, 'empty-light-1280.png') })
  }
  fixture.scenario = 'refused'
  for (const path of ['/', '/data/payments', '/streams/clicks', '/runs/4812', '/dashboards/operations']) {
    await visit(page, path)
    assert.match(await textOf(page, 'main'), /You may not read this\..*owner is payments-team/, path)
  }
  await page.screenshot({ path: join(artifacts, 'refused-light-1280.png') })
  fixture.scenario = 'failing'
  await visit(page, '/dashboards')
  // A 500 is tried again twice before it is shown.
  await page.getByText('MR_INTERNAL').waitFor()
  await page.screenshot({ path: join(artifacts, 'failing-light-1280.png') })
  fixture.scenario = 'shop'
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('link', { name: 'operations' }).waitFor()
  assert.deepEqual(complaints, [])
  await context.close()
})

test('SQL that changes rows: what it did, and a link does not run it', { skip, timeout: 30_000 }, async () => {
  fixture.scenario = 'shop'
  const { page, context, complaints } = await openTab({ expected: /\b400\b/ })
  await visit(page, `/sql?run=true&q=${encodeURIComponent('UPDATE products SET price = 1')}`)
  await page.getByText('MR_SQL_STATEMENT').waitFor()
  await page.getByRole('button', { name: 'Run Ctrl Enter' }).click()
  await page.getByText('3 rows updated, 1 row deleted').waitFor()
  await page.getByText('products in the log: partition 0, offsets 4,120 to 4,123.').waitFor()
  await page.screenshot({ path: join(artifacts, 'sql-written-light-1280.png') })
  assert.deepEqual(complaints, [])
  await context.close()
})

test('SQL: Ctrl Enter, completion, an error with its code, another role, many rows', { skip, timeout: 30_000 }, async () => {
  fixture.scenario = 'shop'
  const { page, context, complaints } = await openTab({ expected: /\b400\b/ })
  await visit(page, '/sql')
  const editor = page.getByRole('textbox', { name: 'SQL' })
  await editor.click()
  await page.keyboard.type('SELECT country FROM daily_rev')
  await page.locator('.cm-tooltip-autocomplete').getByText('daily_revenue').waitFor()
  await page.waitForTimeout(150) // CodeMirror takes no choice in the first 75 ms
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+Enter')
  await page.getByRole('cell', { name: '287,414.55' }).waitFor()
  assert.match(await textOf(page, '.statusline'), /Exact.*daily_revenue snapshot 3,214 \+ hot tail.*no row filter, no mask/)
  assert.match(decodeURIComponent(page.url()), /q=SELECT.country.FROM.daily_revenue/)
  await page.getByRole('button', { name: 'Chart', exact: true }).click()
  await page.locator('.uplot').waitFor()
  await page.screenshot({ path: join(artifacts, 'sql-chart-light-1280.png') })
  await page.getByRole('button', { name: 'Show as table' }).click()
  await page.getByRole('cell', { name: 'United Kingdom' }).waitFor()
  await editor.fill('SELECT nonsense')
  await editor.press('Control+Enter')
  await page.getByText('MR_SQL_SYNTAX').waitFor()
  await editor.fill('SELECT * FROM many_rows')
  await editor.press('Control+Enter')
  await page.getByText('5,000 rows').waitFor()
  await page.getByRole('cell', { name: 'word 3', exact: true }).waitFor()
  const drawn = await page.locator('.gridbox tbody tr').count()
  assert.ok(drawn > 10 && drawn < 120, `${drawn} rows are drawn`)
  await editor.fill('SELECT country FROM daily_revenue')
  await page.getByRole('button', { name: 'As administrator' }).click()
  await page.getByRole('menuitemradio', { name: 'analyst' }).click()
  await page.getByLabel('Attribute country').fill('Germany')
  await page.getByRole('button', { name: 'Run Ctrl Enter' }).click()
  await page.getByText('a row filter applies, masked: country').waitFor()
  await page.locator('.masked').first().waitFor()
  assert.deepEqual(complaints, [])
  await context.close()
})
