# What a config needs that takes the rest from mmtrack.
custom_imports = dict(imports=['stpn_plugin'], allow_failed_imports=False)
