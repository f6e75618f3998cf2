from polars.plugins import register_plugin_function

register_plugin_function(plugin_path="outputs/x.so", function_name="f", args=[])
