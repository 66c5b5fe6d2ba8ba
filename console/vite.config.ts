// Builds the console into console/dist: hashed files under /console/, nothing inlined (the server's content security
// policy allows neither inline scripts nor data: fonts).
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** What every page needs, in two files instead of forty: what changes with releases of others, and what changes with ours. */
const groups = [
  {
    name: 'vendor',
    test: /node_modules\/(react|react-dom|scheduler|use-sync-external-store|@tanstack\/(react-router|router-core|history|react-store|store|react-query|query-core))\//,
  },
  { name: 'base', test: /console\/src\/(api|ui)\/(?!(plot|chart|editor|dialogs|grid|heat|code|timeline|save-file|masked)\.)/ },
]

export default defineConfig({
  base: '/console/',
  plugins: [react()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
    sourcemap: false,
    chunkSizeWarningLimit: 700,
    rolldownOptions: { output: { codeSplitting: { groups } } },
  },
  server: { proxy: { '/admin': 'http://127.0.0.1:4100', '/sql': 'http://127.0.0.1:4100' } },
})
