{
  'targets': [
    {
      'target_name': 'acsplit',
      'sources': [
        'native/addon.cc',
        'native/checksum.cc',
        'native/ipset.cc',
        'native/mapping.cc',
        'native/message.cc',
        'native/notify.cc',
        'native/open.cc',
        'native/poller.cc',
        'native/queue.cc',
        'native/verdict_loop.cc',
        'native/verdicts.cc'
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': ['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'],
      'cflags_cc': ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fno-exceptions'],
      'libraries': ['-lnetfilter_queue', '-lmnl']
    }
  ]
}
