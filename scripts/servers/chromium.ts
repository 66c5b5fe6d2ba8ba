// Finds a Chromium for the tests, or installs one where that can be done without asking: Debian's package as root. Returns
// null with a reason where there is none, so that the tests say what they skipped.
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { installDebian } from './debian.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']
const PLACES = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

/** Arguments with which Chromium works as root, without a graphics card, and talks to nobody but the test. */
export const CHROMIUM_ARGS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-domain-reliability',
  '--disable-extensions',
  '--disable-sync',
  '--metrics-recording-only',
  '--no-first-run',
  '--no-pings',
  '--font-render-hinting=none',
]

export type Chromium = { readonly path: string } | { readonly path: null; readonly why: string }

function onPath(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = [process.env['MILLRACE_CHROMIUM'] ?? '', ...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...PLACES]
  return found.find((path) => path !== '' && existsSync(path)) ?? null
}

/** The browser's path; installs it when it is missing and that is possible. */
export function findChromium(): Chromium {
  const there = onPath()
  if (there !== null) return { path: there }
  const failed = installDebian('chromium')
  const path = onPath()
  return path === null ? { path: null, why: failed ?? 'installed, yet not on the path' } : { path }
}
