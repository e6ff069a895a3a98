from django.conf import settings
from django.db import migrations, models
import django.core.validators
import django.db.models.deletion


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('publish', '0002_candidate'),
    ]

    operations = [
        migrations.CreateModel(
            name='OnSave',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('enabled', models.BooleanField(default=False)),
                ('quiet_s', models.PositiveIntegerField(default=10, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(3600)], verbose_name='seconds')),
                ('digest', models.CharField(blank=True, default='', max_length=64)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('saves', models.PositiveIntegerField(default=0)),
                ('said', models.CharField(blank=True, default='', max_length=300)),
                ('said_at', models.DateTimeField(blank=True, null=True)),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'publish on save',
                'default_permissions': (),
            },
        ),
    ]
