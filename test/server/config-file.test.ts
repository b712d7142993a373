import { describe, expect, it } from 'vitest';
import type { ProgramSpec } from '../../src/core/original-options.ts';
import { parseWithConfig, wordsOfConfig } from '../../src/server/config-file.ts';

const SPEC: ProgramSpec = {
  program: 'walb-test',
  about: '',
  options: [
    { name: 'config', type: 'string', help: '' },
    { name: 'p', type: 'port', help: '' },
    { name: 'proxy', type: 'string', help: '', required: true },
    { name: 'fi', type: 'integer', help: '' },
    { name: 'stop', type: 'flag', help: '' },
  ],
};

const YAML = 'p: 10000\nproxy: [a:1, b:2]\nfi: 1G\nstop: true\n';

describe('configuration files of servers', () => {
  it('reads YAML and TOML alike', async () => {
    const wanted = ['-p', '10000', '-proxy', 'a:1,b:2', '-fi', '1G', '-stop'];
    expect(await wordsOfConfig('x.yaml', YAML, SPEC.options)).toEqual(wanted);
    const toml = 'p = 10000\nproxy = ["a:1", "b:2"]\nfi = "1G"\nstop = true\n';
    expect(await wordsOfConfig('x.toml', toml, SPEC.options)).toEqual(wanted);
  });

  it('lets the command line win, and asks for what neither gives', async () => {
    const both = await parseWithConfig(SPEC, ['-config', 'x.yaml', '-p', '7'], () => YAML);
    expect(both.values.get('p')).toBe('7');
    expect(both.values.get('proxy')).toBe('a:1,b:2');
    const neither = parseWithConfig(SPEC, ['-config', 'x.yaml'], () => 'p: 1\n');
    await expect(neither).rejects.toThrow('OptionError:opt is necessary:-proxy');
  });

  it.each([
    ['x.yaml', 'proxi: a:1', "x.yaml: 'proxi' is not a setting; there are: p, proxy, fi, stop"],
    ['x.yaml', 'config: y.yaml', "x.yaml: 'config' is not a setting"],
    ['x.yaml', 'stop: 1', "x.yaml: 'stop' must be true or false"],
    ['x.yaml', 'proxy: {a: 1}', "x.yaml: 'proxy' must be one value"],
    ['x.yaml', 'p: 70000', 'x.yaml: OptionError:bad value:-p:70000'],
    ['x.yaml', '- p', 'x.yaml: must hold settings'],
    ['x.yaml', 'p: [', 'x.yaml: '],
    ['x.toml', 'p = ', 'x.toml: '],
    ['x.conf', 'p: 1', 'x.conf: '],
  ])('refuses %s with %j', async (path, text, message) => {
    await expect(parseWithConfig(SPEC, ['-config', path], () => text)).rejects.toThrow(message);
  });
});
