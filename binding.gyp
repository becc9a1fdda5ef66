{
  'targets': [
    {
      'target_name': 'acsplit',
      'sources': [
        'native/addon.cc',
        'native/bpf_map.cc',
        'native/checksum.cc',
        'native/ipset.cc',
        'native/map_functions.cc',
        'native/mapping.cc',
        'native/message.cc',
        'native/notify.cc',
        'native/open.cc',
        'native/poller.cc',
        'native/probe.cc',
        'native/probe_functions.cc',
        'native/queue.cc',
        'native/system_error.cc',
        'native/verdict_loop.cc',
        'native/verdicts.cc'
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags_cc': ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fno-exceptions'],
      'libraries': ['-lnetfilter_queue', '-lmnl', '-pthread']
    },
    {
      'target_name': 'fast_path',
      'variables': {
        'has_libbpf%': "<!(node -p \"+require('fs').existsSync('/usr/include/bpf/libbpf.h')\")"
      },
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags_cc': ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fno-exceptions'],
      'conditions': [
        ['has_libbpf==1', {
          'sources': [
            'native/bpf_map.cc',
            'native/fast-path/addon.cc',
            'native/fast-path/filter.cc',
            'native/fast-path/loader.cc',
            'native/fast-path/monitor.cc',
            'native/map_functions.cc',
            'native/system_error.cc'
          ],
          'libraries': ['-lbpf', '-lmnl']
        }, {
          'type': 'none'
        }]
      ]
    }
  ]
}
