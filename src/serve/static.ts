// The console's built files under /console/: from memory-mapped disk, with strict headers. Client routes get index.html.
import type { FastifyInstance } from 'fastify'
import type { Disk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
  json: 'application/json',
  png: 'image/png',
  ico: 'image/x-icon',
}

const SECURITY = {
  'content-security-policy':
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
}

/** `directory`: the console's `dist`. */
export function addConsole(app: FastifyInstance, disk: Disk, directory: string): void {
  app.get('/', (_request, reply) => reply.redirect('/console/'))
  app.get('/console', (_request, reply) => reply.redirect('/console/'))
  app.get('/console/*', async (request, reply) => {
    const path = (request.params as { '*': string })['*']
    const isAsset = /^[\w./-]+\.\w+$/.test(path) && !path.includes('..')
    const content = await read(disk, `${directory}/${isAsset ? path : 'index.html'}`)
    if (!content)
      throw new MillraceError('MR_NOT_FOUND', isAsset ? `there is no ${path}` : 'the console is not built', {
        fix: 'npm run build --workspace console',
      })
    const extension = isAsset ? path.slice(path.lastIndexOf('.') + 1) : 'html'
    const cache = isAsset && path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    return reply
      .headers({ ...SECURITY, 'cache-control': cache })
      .type(TYPES[extension] ?? 'application/octet-stream')
      .send(content)
  })
}

async function read(disk: Disk, path: string): Promise<Buffer | undefined> {
  const stat = await disk.stat(path)
  return stat && !stat.isDirectory ? disk.readFile(path) : undefined
}
